"""What an export costs beside DuckDB's own JSON writing, and how fast one row is found.

    python -m benchmarks.exports [--rows 200000]

The rows are made in Arrow: a question, a trace of about 900 characters, four verdicts. One process
exports them to TRL as JSON lines; another has DuckDB write the same columns with `COPY ... (FORMAT
json)`, and one more Parquet. Each reports its CPU seconds, without
imports, and its peak memory. A last process runs `synthmill show ROW`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from synthmill.schemas.arrow import ROW_SCHEMA
from synthmill.schemas.identity import sha256_text
from synthmill.store.dataset import Dataset
from synthmill.store.export import export
from synthmill.store.exports.base import load_exporter
from synthmill.store.home import Home
from synthmill.store.metadata import CommitMetadata
from synthmill.store.sql import connect, literal, scan_files

BATCH = 50_000
WORDS = [f"step {n} gives {n * 7 % 101}," for n in range(1000)]


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--measure", choices=[*MEASURED], help="what a child process measures")
    parser.add_argument("--home", type=Path)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(_cost(options.measure, Home(options.home))))
        return
    with tempfile.TemporaryDirectory(prefix="synthmill-exports-") as folder:
        home = Home(folder)
        _fill(Dataset.create(home, "rows"), options.rows)
        costs = {name: _measured(name, home.path) for name in MEASURED}
        print(f"{options.rows} rows, {os.cpu_count()} cores")
        for name, (seconds, megabytes) in costs.items():
            ratio = seconds / costs["duckdb"][0]
            print(
                f"{name:12} {seconds:7.1f} s CPU  {ratio:5.2f} x DuckDB  {megabytes:6.0f} MB peak"
            )
        _show_row(home, options.rows // 2)


def _fill(dataset: Dataset, count: int) -> None:
    rng = np.random.default_rng(0)
    for batch, start in enumerate(range(0, count, BATCH)):
        stop = min(start + BATCH, count)
        records = [_record(number, rng) for number in range(start, stop)]
        table = pa.Table.from_pylist(records, schema=ROW_SCHEMA)
        metadata = CommitMetadata(run_id="benchmark", batch=batch)
        dataset.commit(table, run_id="benchmark", batch=batch, metadata=metadata)


def _record(number: int, rng: np.random.Generator) -> dict[str, Any]:
    trace = " ".join(WORDS[n] for n in rng.integers(0, len(WORDS), 45))
    turns = [("user", f"problem {number}"), ("assistant", trace)]
    return {
        "id": row_id(number),
        "kind": "sft",
        "status": "accepted",
        "split": "train",
        "generator": "benchmark@1",
        "task_key": str(number),
        "messages": [{"role": role, "content": text, "train": True} for role, text in turns],
        "answer": str(number),
        "verdicts": [{"filter": f, "version": 1, "status": "pass", "score": 1.0} for f in "abcd"],
        "detail": "{}",
        "run_id": "benchmark",
        "recipe_hash": "benchmark",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }


def row_id(number: int) -> str:
    """The id of a row: random, as content hashes are."""
    return sha256_text(str(number))[:24]


def _to_trl(form: str) -> Any:
    def write(home: Home) -> None:
        export(Dataset.open(home, "rows"), load_exporter("trl", {"format": form}), home.path / form)

    return write


def _by_duckdb(home: Home) -> None:
    files = Dataset.open(home, "rows").files(status="accepted")
    turns = "list_transform(messages, lambda m: {'role': m.role, 'content': m.content})"
    target = literal(str(home.path / "duckdb.jsonl"))
    with connect() as connection:
        connection.execute(
            f"COPY (SELECT id, {turns} AS messages FROM {scan_files(files)}) TO {target} "
            "(FORMAT json)"
        )


MEASURED = {"duckdb": _by_duckdb, "trl jsonl": _to_trl("jsonl"), "trl parquet": _to_trl("parquet")}


def _cost(name: str, home: Home) -> tuple[float, float]:
    """CPU seconds of all threads, and the process's peak memory in MB."""
    import datasets  # noqa: F401  its import is no cost of an export

    start = time.process_time()
    MEASURED[name](home)
    return time.process_time() - start, _peak()


def _peak() -> float:
    """Peak memory in MB; `getrusage` would also count the parent's, from before the exec."""
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _measured(name: str, home: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.exports", "--measure", name, "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, megabytes = json.loads(done.stdout)
    return seconds, megabytes


def _show_row(home: Home, number: int) -> None:
    for target in (row_id(number), row_id(number)[:10]):
        command = [sys.executable, "-m", "synthmill.flows.cli", "show", target]
        start = time.perf_counter()
        subprocess.run([*command, "--home", str(home.path)], capture_output=True, check=True)
        print(f"show {target}: {time.perf_counter() - start:.2f} s")


if __name__ == "__main__":
    main()
