"""Copies, renames, drops and merges: what they keep, and that a kill leaves old or new."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from synthmill.schemas.errors import InputError
from synthmill.store.arranging import (
    copy_dataset,
    drop_dataset,
    merging,
    rename_dataset,
)
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.home import Home
from synthmill.store.query import query_records
from synthmill.store.tags import read_tags, set_tag
from tests.store.building import commit, make_rows, read_ids


@pytest.fixture
def math(home: Home) -> Dataset:
    dataset = Dataset.create(home, "math")
    commit(dataset, make_rows(0, 6), 0)
    set_tag(dataset, "first")
    dataset.put_media(b"picture", ".png")
    commit(dataset, make_rows(6, 12), 1)
    return dataset


def test_a_copy_has_versions_tags_and_media_and_changes_alone(home: Home, math: Dataset) -> None:
    assert copy_dataset(home, "math", "other") == 2
    other = Dataset.open(home, "other")
    for version in range(3):
        assert read_ids(other, version) == read_ids(math, version)
    assert read_tags(other.folder) == {"first": 1}
    assert len([p for p in other.media_folder.rglob("*") if p.is_file()]) == 1
    delete_source(other, "https://site1.example/*")
    commit(math, make_rows(12, 15), 2)
    assert len(read_ids(other)) < 8 < len(read_ids(math))


def test_a_copy_of_a_version(home: Home, math: Dataset) -> None:
    assert copy_dataset(home, "math", "early", "first") == 1
    early = Dataset.open(home, "early")
    assert read_ids(early) == read_ids(math, 1)
    commit(early, make_rows(20, 23), 1)
    assert early.version == 2


def test_a_copy_of_many_versions_opens(home: Home) -> None:
    dataset = Dataset.create(home, "many")
    for batch in range(102):
        commit(dataset, make_rows(batch, batch + 1), batch)
    copy_dataset(home, "many", "copy")
    assert read_ids(Dataset.open(home, "copy")) == read_ids(dataset)


def test_rename_and_drop(home: Home, math: Dataset) -> None:
    rows = read_ids(math)
    rename_dataset(home, "math", "sums")
    assert read_ids(Dataset.open(home, "sums")) == rows
    rebuild(home)
    assert query_records(home, "select count(*) as n from sums") == [{"n": len(rows)}]
    drop_dataset(home, "sums")
    rebuild(home)
    assert home.dataset_names() == [] and not list(home.path.glob(".aside.*"))
    assert query_records(home, "from datasets") == []


@pytest.mark.parametrize("new", ["math", "Bad Name", "runs"])
def test_a_name_that_is_taken_or_wrong_changes_nothing(home: Home, math: Dataset, new: str) -> None:
    before = math.version
    with pytest.raises(InputError):
        copy_dataset(home, "math", new)
    with pytest.raises(InputError):
        rename_dataset(home, "math", new)
    with pytest.raises(InputError), merging(home, ["math", "math"], new):
        pass
    assert home.dataset_names() == ["math"] and Dataset.open(home, "math").version == before


def test_merge(home: Home, math: Dataset) -> None:
    more = Dataset.create(home, "more")
    commit(more, make_rows(6, 18, run_id="run-2"), 0, run_id="run-2")
    more.put_media(b"other picture", ".png")
    delete_source(more, "https://site3.example/*")
    with merging(home, ["math", "more"], "both") as merge:
        assert "both" not in home.dataset_names()
    both = Dataset.open(home, "both")
    blocked = [n for n in range(18) if n % 5 == 3]
    accepted = [n for n in range(18) if n % 3 and n not in blocked]
    rows = list(both.rows())
    assert sorted(row.task_key for row in rows) == sorted(f"task-{n}" for n in accepted)
    assert len({row.id for row in rows}) == len(rows) == merge.rows["accepted"]
    # Of copies the first dataset's row stays, with its run, sources and verdicts.
    by_key = {row.task_key: row for row in rows}
    assert by_key["task-7"].run_id == "run-1" and by_key["task-16"].run_id == "run-2"
    assert by_key["task-7"] == next(r for r in math.rows() if r.task_key == "task-7")
    assert merge.repeated > 0 and merge.blocked > 0
    assert both.blocked_sources() == ["https://site3.example/*"]
    assert len([p for p in both.media_folder.rglob("*") if p.is_file()]) == 2
    merged = both.history()[-1]
    assert (merged.operation, merged.pattern) == ("merge", f"math@2 more@{more.version}")


def test_a_killed_merge_leaves_nothing_behind_a_name(home: Home, math: Dataset) -> None:
    code = f"""
import os, signal
from synthmill.store.arranging import merging
from synthmill.store.home import Home
with merging(Home({str(home.path)!r}), ["math", "math"], "both"):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": root}, timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    assert home.dataset_names() == ["math"]
    left = list(home.path.glob(".aside.*"))
    assert len(left) == 1
    os.utime(left[0], (0, 0))
    with merging(home, ["math", "math"], "both") as working:
        os.utime(working.dataset.home.path, (0, 0))
        home.remove_abandoned()
        assert list(home.path.glob(".aside.*")) == [working.dataset.home.path]
    assert read_ids(Dataset.open(home, "both")) == read_ids(math)
