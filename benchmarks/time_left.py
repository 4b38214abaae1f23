"""How well a run estimates its own end: the printed time left against the time that was left.

    python -m benchmarks.time_left [--minutes 10] [--only "heavy tails"]

Three runs against a real server on loopback, each in a process of its own, with its output read
from a pipe: heavy-tailed answer times, a dataset that grows full (each new row is more often a
copy), and few long tasks. Printed is the ratio of estimated to real time left.
"""

import argparse
import asyncio
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml
from pydantic import Field

from synthmill.generators.base import Context, Generator, Task
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.messages import Message, assistant, user
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Source
from synthmill.testing import ScriptedServer

LINE = re.compile(r"-> \w+: (\d+):(\d+):(\d+) .*about (\d+):(\d+):(\d+) left")


class Turns(Source):
    """Endless numbers."""

    name = "turns"
    item = Record
    Settings = Settings

    def items(self) -> Iterator["Turn"]:
        """The numbers from 0 up."""
        number = 0
        while True:
            yield Turn(key=f"t{number}", number=number)
            number += 1


class Turn(Record):
    """A number."""

    key: str
    number: int


class Say(Prompt[str]):
    """Asks for a word, in one of several calls of a task."""

    number: int
    call: int

    def messages(self) -> tuple[Message, ...]:
        """The question."""
        return (user(f"turn {self.number}, call {self.call}"),)


class SaysSettings(Settings):
    """Settings of `Says`."""

    calls: int = Field(default=1, description="calls one after the other in a task")
    words: int = Field(default=0, description="rows are one of so many; 0: all differ")


class Says(Generator[SaysSettings]):
    """A row for each number; with few words more and more of them are copies."""

    name = "says"
    item = Record

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """One row."""
        for call in range(self.settings.calls):
            await context.generate(Say(number=task.item.number, call=call), purpose=f"call {call}")
        words = self.settings.words
        word = context.rng("word").randrange(words) if words else task.item.number
        yield Candidate(kind="sft", messages=[user("a word"), assistant(f"word {word}")])


class SlowServer(ScriptedServer):
    """Each answer takes a time of its own, heavy-tailed where `sigma` is large."""

    def __init__(self, median: float, sigma: float) -> None:
        super().__init__()
        self._median, self._sigma = median, sigma

    async def _chat(self, request: Any) -> Any:
        body = await request.json()
        rng = Random(str(body["messages"]))
        await asyncio.sleep(self._median * math.exp(self._sigma * rng.gauss(0, 1)))
        return await super()._chat(request)


SCENARIOS: dict[str, tuple[tuple[float, float], dict[str, Any], int, int]] = {
    # name: (median and sigma of the answer's time), settings, target of a minute, concurrency
    "heavy tails": ((0.8, 1.0), {}, 1350, 32),
    "growing full": ((0.5, 0.3), {"words": 900}, 750, 16),
    "few long tasks": ((0.5, 0.5), {"calls": 12}, 36, 4),
}
LINES = 20  # printed of a run


def run(name: str, minutes: float) -> list[tuple[float, float | None]]:
    """Share of the run and ratio of estimated to real time left, at each line."""
    (median, sigma), settings, target, concurrency = SCENARIOS[name]
    target = round(minutes * target)
    if "words" in settings:
        settings = settings | {"words": round(minutes * settings["words"])}
    with SlowServer(median, sigma) as server, tempfile.TemporaryDirectory() as folder:
        role = {"backend": "openai", "model": "scripted", "settings": {"base_url": server.url}}
        recipe = {
            "name": "timed",
            "source": {"type": "benchmarks.time_left:Turns"},
            "generator": {"name": "benchmarks.time_left:Says", "settings": settings},
            "models": {"default": role},
            "target": target,
            "output": {"dataset": "timed"},
            "engine": {"concurrency": concurrency},
        }
        path = Path(folder) / "timed.yaml"
        path.write_text(yaml.safe_dump(recipe), encoding="utf-8")
        command = [sys.executable, "-m", "synthmill.flows.cli", "run", str(path)]
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(Path.cwd())}
        process = subprocess.Popen(
            [*command, "--home", folder], env=environment, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        seen, begun, end = [], None, time.monotonic()
        for line in process.stdout:
            if " accepted" in line and "in progress" in line:
                begun, end = begun or time.monotonic(), time.monotonic()
                found = LINE.search(line)
                left = None
                if found:
                    hours, minutes, seconds = map(int, found.groups()[3:])
                    left = 3600.0 * hours + 60 * minutes + seconds
                seen.append((time.monotonic(), left))
            elif "target met" in line:
                end = time.monotonic()
        process.wait()
    assert begun is not None
    length = end - begun
    return [
        ((at - begun) / length, None if left is None else left / (end - at))
        for at, left in seen
        if end - at > 3  # printed in whole seconds
    ]


def main() -> None:
    """Print each run's ratios, and those beyond a factor of two after a tenth of the run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="about, of each run")
    parser.add_argument("--only", choices=[*SCENARIOS], help="this run alone")
    arguments = parser.parse_args()
    for name in [arguments.only] if arguments.only else [*SCENARIOS]:
        found = run(name, arguments.minutes)
        print(name)
        for share, ratio in found[:: max(1, len(found) // LINES)]:
            print(f"  {share:4.0%}  " + ("no estimate yet" if ratio is None else f"{ratio:.2f}"))
        late = [ratio for share, ratio in found if share >= 0.1]
        outside = [r for r in late if r is None or not 0.5 <= r <= 2]
        print(
            f"  from a tenth on: {len(late) - len(outside)} of {len(late)} within a factor of two"
        )


if __name__ == "__main__":
    main()
