"""No row is lost and none comes twice, whatever dies when and whoever else writes."""

import random
import time
from collections import Counter
from pathlib import Path

from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.store.building import make_rows
from tests.store.committing import (
    PROCESSES,
    ROWS_A_BATCH,
    commit_batch,
    create_at,
    repeat_batches,
    run_batches,
)

KILLS = 50
ENOUGH = 10_000  # batches that no process will come to the end of


def _stored(dataset: Dataset) -> Counter[tuple[str, str]]:
    return Counter((row.run_id, row.task_key) for row in dataset.rows(status=None))


def _expected(run_id: str, batches: int) -> Counter[tuple[str, str]]:
    return Counter((run_id, row.task_key) for row in make_rows(0, batches * ROWS_A_BATCH))


def _seconds_to_the_first_commit(path: Path) -> float:
    """On this machine, busy as it is now; the second of two, as the first starts the server."""
    for run in ("one", "two"):
        start = time.perf_counter()
        process = PROCESSES.Process(target=run_batches, args=(path, run, 0, 1))
        process.start()
        process.join()
    return time.perf_counter() - start


def test_fifty_kills_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    moments = random.Random(7)
    window = 2 * _seconds_to_the_first_commit(tmp_path / "other")
    for _ in range(KILLS):
        process = PROCESSES.Process(target=run_batches, args=(tmp_path, "run", 0, ENOUGH))
        process.start()
        time.sleep(moments.uniform(0, window))
        process.kill()
        process.join()
    dataset = Dataset.create(Home(tmp_path), "my-set")
    last = dataset.last_commit("run")
    assert last is not None and last[0] > 5, "all kills fell before the first commits"
    assert last[1].checkpoint == str(last[0])
    assert _stored(dataset) == _expected("run", last[0] + 1)
    commits = [v for v in dataset.history() if v.operation == "commit"]
    assert [v.commit.batch for v in commits if v.commit] == list(range(last[0] + 1))


def test_two_runs_at_once_lose_nothing(tmp_path: Path) -> None:
    processes = [
        PROCESSES.Process(target=run_batches, args=(tmp_path, run, 0, 20)) for run in ("one", "two")
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    dataset = Dataset.open(Home(tmp_path), "my-set")
    assert _stored(dataset) == _expected("one", 20) + _expected("two", 20)
    assert dataset.version == 40


def test_one_run_resumed_twice_at_once_is_committed_once(tmp_path: Path) -> None:
    processes = [PROCESSES.Process(target=repeat_batches, args=(tmp_path, "run", 20)) for _ in "ab"]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    dataset = Dataset.open(Home(tmp_path), "my-set")
    assert _stored(dataset) == _expected("run", 20)


def test_a_commit_returns_the_version_it_made(tmp_path: Path) -> None:
    process = PROCESSES.Process(target=run_batches, args=(tmp_path, "other", 0, 30))
    dataset = Dataset.create(Home(tmp_path), "my-set")
    process.start()
    versions = {batch: commit_batch(dataset, "mine", batch) for batch in range(30)}
    process.join()
    made = {
        v.commit.batch: v.version
        for v in dataset.history()
        if v.commit and v.commit.run_id == "mine"
    }
    assert versions == made


def test_processes_that_create_a_dataset_at_once_share_it(tmp_path: Path) -> None:
    for attempt in range(5):
        home = Home(tmp_path / str(attempt))
        moment = time.time() + 0.15
        processes = [PROCESSES.Process(target=create_at, args=(home.path, moment)) for _ in "abc"]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        assert Dataset.open(home, "my-set").version == 0
