"""Processes that commit to a dataset until they are done or killed.

They are forked from a server that has imported the store but never used it: delta-rs starts no
threads on import, so such children may use it, and start at once.
"""

import multiprocessing
import time
from pathlib import Path

from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.store.building import commit, make_rows

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.store.committing"])
ROWS_A_BATCH = 6


def run_batches(path: Path, run_id: str, first: int, end: int) -> None:
    """Commit batches `first` to `end - 1` of a run as a resumed engine does: after the last."""
    dataset = Dataset.create(Home(path), "my-set")
    last = dataset.last_commit(run_id)
    for batch in range(first if last is None else last[0] + 1, end):
        commit_batch(dataset, run_id, batch)


def repeat_batches(path: Path, run_id: str, end: int) -> None:
    """Commit every batch of a run from 0, as a repeated task does that knows of nothing."""
    dataset = Dataset.create(Home(path), "my-set")
    for batch in range(end):
        commit_batch(dataset, run_id, batch)


def commit_batch(dataset: Dataset, run_id: str, batch: int) -> int | None:
    """Commit the rows that this batch of this run always has."""
    rows = make_rows(batch * ROWS_A_BATCH, (batch + 1) * ROWS_A_BATCH, run_id=run_id)
    return commit(dataset, rows, batch, run_id, checkpoint=str(batch))


def create_at(path: Path, moment: float) -> None:
    """Create the dataset at a moment that other processes were told as well."""
    time.sleep(max(0.0, moment - time.time()))
    Dataset.create(Home(path), "my-set")


def rebuild_often(path: Path, times: int) -> None:
    """Rebuild the catalog again and again."""
    for _ in range(times):
        rebuild(Home(path))
