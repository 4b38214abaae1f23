"""What a commit costs beside a plain Parquet write of the same rows.

    python -m benchmarks.commit_cost [--rows 20000]

Both write the same Arrow tables with the same compression to the same disk, in turns. The plain
write has none of what a commit adds: partitions by status, statistics, the log entry, the check
that the batch is not in yet, atomicity.
"""

import argparse
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from synthmill.schemas.arrow import rows_to_table
from synthmill.schemas.identity import content_id
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Row
from synthmill.schemas.verdict import Verdict
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.metadata import CommitMetadata

BATCHES = (100, 1000, 10_000)


def make_row(number: int, words: random.Random) -> Row:
    """A row as CoTEvol makes them: about 1,000 characters of reasoning, four verdicts."""
    trace = " ".join(str(words.randrange(10_000)) for _ in range(200))
    row = Row(
        id="",
        kind="sft",
        messages=[user(f"problem {number}: {words.random()}"), assistant(trace)],
        answer=str(number),
        sources=[SourceRef(uri=f"problems.jsonl#{number}", license="CC0-1.0")],
        verdicts=[Verdict(filter=f, status="pass", score=1.0) for f in "abcd"],
        generator="benchmark@1",
        task_key=str(number),
        split="train",
        status="rejected" if number % 4 == 0 else "accepted",
        run_id="benchmark",
        recipe_hash="1-benchmark",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return row.model_copy(update={"id": content_id(row)})


def measure(batches: list[pa.Table], folder: Path) -> tuple[float, float]:
    """Median seconds of a commit and of a plain write of the same batches, in turns."""
    dataset = Dataset.create(Home(folder / "home"), "benchmark")
    plain = folder / "plain"
    plain.mkdir()
    committed, written = [], []
    for number, batch in enumerate(batches):
        start = time.perf_counter()
        pq.write_table(batch, plain / f"{number}.parquet", compression="zstd", compression_level=3)
        between = time.perf_counter()
        metadata = CommitMetadata(run_id="benchmark", batch=number)
        dataset.commit(batch, run_id="benchmark", batch=number, metadata=metadata)
        committed.append(time.perf_counter() - between)
        written.append(between - start)
    return statistics.median(committed), statistics.median(written)


def main() -> None:
    """Print one line for each batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000, help="rows to write in all")
    rows = parser.parse_args().rows
    words = random.Random(0)
    table = rows_to_table([make_row(number, words) for number in range(rows)])
    print(f"{rows:,} rows, {table.nbytes / 1e6:.0f} MB in memory")
    print(f"{'rows a commit':>13} {'commit ms':>10} {'plain ms':>10} {'ratio':>6} {'rows/s':>9}")
    for size in BATCHES:
        batches = [table.slice(first, size) for first in range(0, rows, size)]
        with tempfile.TemporaryDirectory() as folder:
            committed, written = measure(batches, Path(folder))
        print(
            f"{size:>13,} {committed * 1000:>10.1f} {written * 1000:>10.1f} "
            f"{committed / written:>6.2f} {size / committed:>9,.0f}"
        )


if __name__ == "__main__":
    main()
