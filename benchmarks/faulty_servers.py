"""One-call rows from servers that refuse, fail, hang, or answer slowly.

    python -m benchmarks.faulty_servers [--rows 1000] [--case refusals queue failures]

- refusals: 30 % of the calls get HTTP 429 with `Retry-After: 1`, 5 % an empty answer, 5 % broken
  JSON; the aim is 0.8 of the rows per second that an ideal client makes, and no empty row.
- queue: two slots, 2 s for an answer; the aim is 0.9 of the server's rate, no time-out, and a first
  row within 10 s. It makes an eighth of the rows.
- failures: 6 % of the calls hang, 5 % are cut off, 10 % get HTTP 500; the aim is half of the rate
  of the same server without failures, and no row lost.

The ideal client asks for 64 rows at once, knows at once what failed, and waits only as it is told
to. Its time is the mean of simulations with the same shares of faults.
"""

import argparse
import asyncio
import heapq
import tempfile
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from synthmill.generators.base import Context, Generator, Task
from synthmill.models.prompt import Prompt
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.run import start
from synthmill.schemas.base import Settings
from synthmill.schemas.messages import Message, assistant, user
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.testing import Faults, ScriptedServer

CONCURRENCY = 64
LATENCY = 0.5
RETRY_AFTER = 1.0
SIMULATIONS = 20


class Question(Prompt[str]):
    """One question of the benchmark."""

    text: str

    def messages(self) -> tuple[Message, ...]:
        """The question as it is."""
        return (user(self.text),)


class OneCall(Generator):
    """One row of one answer for each problem."""

    name = "one_call"
    item = Problem
    Settings = Settings

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """Ask once."""
        reply = await context.generate(Question(text=task.item.text), purpose="answer")
        yield Candidate(kind="sft", messages=[user(task.item.text), assistant(reply.unwrap())])


@dataclass
class Measured:
    """What a run did."""

    report: RunReport
    seconds: float
    first_row: float = 0.0
    empty: int = 0
    statuses: list[str] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Accepted rows per second."""
        return self.report.accepted / self.seconds

    @property
    def failures(self) -> dict[str, int]:
        """Failed calls that were repeated, by kind."""
        return self.report.usage["question"].failures


async def run(server: ScriptedServer, rows: int) -> Measured:
    """Make rows with a server."""
    recipe = Recipe.model_validate(
        {
            "name": "faulty",
            "source": {"type": "benchmarks.engine:Count", "rows": 2 * rows},
            "generator": {"name": "benchmarks.faulty_servers:OneCall"},
            "models": {
                "default": {
                    "backend": "openai",
                    "model": "scripted",
                    "settings": {"base_url": server.url},
                }
            },
            "target": rows,
            "output": {"dataset": "faulty"},
            "engine": {"concurrency": CONCURRENCY},
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        home, first, statuses = Home(Path(folder)), 0.0, list[str]()
        began = time.perf_counter()

        def watch(progress: Progress) -> None:
            nonlocal first
            if progress.accepted and not first:
                first = time.perf_counter() - began
            if progress.status and (not statuses or statuses[-1] != progress.status):
                statuses.append(progress.status)

        report = await start(recipe, home, on_progress=watch)
        seconds = time.perf_counter() - began
        rows_made = Dataset.open(home, "faulty").rows()
        empty = sum(not row.messages[-1].text.strip() for row in rows_made)
    return Measured(report, seconds, first or seconds, empty, statuses)


def ideal_seconds(rows: int, faults: Faults) -> float:
    """Seconds in which an ideal client makes the rows, `CONCURRENCY` at once."""
    total = 0.0
    for seed in range(SIMULATIONS):
        rng = Random(seed)
        free = [0.0] * CONCURRENCY
        for _ in range(rows):
            moment = heapq.heappop(free)
            fault: str | None = "first try"
            while fault is not None:
                fault = faults.draw(rng)
                moment += RETRY_AFTER if fault == "429" else LATENCY
            heapq.heappush(free, moment)
        total += max(free)
    return total / SIMULATIONS


def told(name: str, made: Measured, aim: str) -> None:
    """Print what a case showed."""
    report = made.report
    print(
        f"{name}: {report.accepted} rows in {made.seconds:.1f} s, {made.rate:.1f} rows/s, first "
        f"after {made.first_row:.1f} s; tasks failed {sum(report.failures.values())}, empty rows "
        f"{made.empty}\n  {aim}\n  failed calls: {made.failures}"
    )
    if made.statuses:
        print(f"  progress line: {made.statuses[len(made.statuses) // 2]}")


async def refusals(rows: int) -> None:
    """Random refusals, empty answers and broken JSON."""
    shares = {"429": 0.3, "empty": 0.05, "wrong_json": 0.05}
    faults = Faults.mixed(shares, retry_after=f"{RETRY_AFTER:g}")
    with ScriptedServer(faults=faults, latency=LATENCY) as server:
        made = await run(server, rows)
    bound = ideal_seconds(rows, faults)
    share = bound / made.seconds
    told("refusals", made, f"{share:.2f} of an ideal client, {rows / bound:.1f} rows/s (aim 0.8)")


async def queue(rows: int) -> None:
    """A slow server with two slots."""
    slots, seconds = 2, 2.0
    rows = max(10, rows // 8)
    with ScriptedServer(latency=seconds, slots=slots) as server:
        made = await run(server, rows)
    share = made.rate / (slots / seconds)
    told("queue", made, f"{share:.2f} of the server's rate (aim 0.9; no time-out; 10 s)")


async def failures(rows: int) -> None:
    """Hanging calls, cut connections, server errors."""
    with ScriptedServer(latency=LATENCY) as server:
        good = await run(server, rows)
    faults = Faults.mixed({"hang": 0.06, "reset": 0.05, "500": 0.1})
    with ScriptedServer(faults=faults, latency=LATENCY) as server:
        made = await run(server, rows)
    share = made.rate / good.rate
    told("failures", made, f"{share:.2f} of the rate without, {good.rate:.1f} rows/s (aim 0.5)")


CASES = {case.__name__: case for case in (refusals, queue, failures)}


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--case", nargs="+", choices=CASES, default=list(CASES))
    options = parser.parse_args()
    for name in options.case:
        asyncio.run(CASES[name](options.rows))


if __name__ == "__main__":
    main()
