"""Rows a second through verify, dedup and commit, and the memory that it takes.

    python -m benchmarks.engine [--rows 100000]

A trivial generator gives the rows, so what is measured is the engine. The baseline writes the same
rows with plain pyarrow in the same run, without judging them.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from random import Random

import psutil
import pyarrow.parquet as pq

from synthmill.generators.base import Context, Generator, Task
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.run import start
from synthmill.schemas.arrow import ROW_SCHEMA
from synthmill.schemas.base import Settings
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem, Source
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

WORDS = [f"word{number}" for number in range(5000)]


class CountSettings(Settings):
    """How many problems."""

    rows: int = 100_000


class Count(Source):
    """Problems made on the fly."""

    name = "count"
    item = Problem
    Settings = CountSettings

    def items(self) -> Iterator[Problem]:
        """As many as the settings say."""
        for number in range(self.settings.rows):
            yield Problem(
                key=f"p{number}",
                text=f"{number} + 1 =",
                answer="",
                origin=SourceRef(uri="count:"),
            )


class Trivial(Generator):
    """One row of sixty random words for each problem."""

    name = "trivial"
    item = Problem
    Settings = Settings

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """A row that resembles no other."""
        words = " ".join(Random(task.key).choices(WORDS, k=60))
        yield Candidate(kind="sft", messages=[user(task.item.text), assistant(words)])


def recipe(rows: int) -> Recipe:
    """The engine with a verifier and both kinds of dedup."""
    return Recipe.model_validate(
        {
            "name": "benchmark",
            "source": {"type": "benchmarks.engine:Count", "rows": rows},
            "generator": {"name": "benchmarks.engine:Trivial"},
            "models": {},
            "filters": [{"name": "length"}, {"name": "exact_content"}, {"name": "minhash"}],
            "output": {"dataset": "benchmark"},
        }
    )


def megabytes() -> float:
    """Resident memory of this process."""
    return psutil.Process(os.getpid()).memory_info().rss / 2**20


async def measure(rows: int, folder: Path) -> None:
    """Run, print, compare."""
    home = Home(folder)
    await start(recipe(500), Home(folder / "warm"))  # libraries load here, not in the figures
    before, peak = megabytes(), 0.0
    marks: list[tuple[int, float]] = []

    def watch(progress: Progress) -> None:
        nonlocal peak
        peak = max(peak, megabytes())
        if progress.accepted >= (len(marks) + 1) * rows / 10:
            marks.append((progress.accepted, megabytes() - before))
            print(f"  {progress.accepted:>8,} rows  {marks[-1][1]:+7.0f} MB", flush=True)

    began = time.perf_counter()
    report = await start(recipe(rows), home, on_progress=watch)
    seconds = time.perf_counter() - began
    assert report.accepted == rows, report

    table = Dataset.open(home, "benchmark").read(status=None).read_all()
    began = time.perf_counter()
    pq.write_table(table.select(ROW_SCHEMA.names), folder / "plain.parquet", compression="zstd")
    plain = time.perf_counter() - began
    print(
        f"engine: {rows / seconds:,.0f} rows/s (verify + 2 dedups + commit), "
        f"{peak - before:+.0f} MB at most above start\n"
        f"plain pyarrow, same rows, no judging: {rows / plain:,.0f} rows/s; "
        f"the engine takes {seconds / plain:.1f} times as long"
    )


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(parser.parse_args().rows, Path(folder)))


if __name__ == "__main__":
    main()
