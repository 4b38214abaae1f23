"""Full disks, missing permissions and missing files: one clear line, and nothing half written.

Each is the real thing: a small file system, a file size limit, another user's folder.
"""

import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synthmill.schemas.errors import InputError
from synthmill.store import dataset as dataset_module
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.difference import Difference
from synthmill.store.home import Home
from synthmill.store.maintenance import compact
from synthmill.store.query import query
from synthmill.store.tags import read_tags, set_tag
from tests.store.building import commit, ids, make_rows, read_ids
from tests.store.committing import PROCESSES

BIG = "x" * 1000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of four megabytes."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(mount)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a file system")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


def _fill(disk: Path, leave: int) -> None:
    free = shutil.disk_usage(disk).free
    with (disk / "filler").open("wb") as file:
        file.write(b"\0" * (free - leave))


def _one_line(step: Callable[[], object], said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        step()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("foreseen", [True, False])
def test_a_full_disk(small_disk: Path, monkeypatch: pytest.MonkeyPatch, foreseen: bool) -> None:
    """Also where the disk fills up only while the commit writes."""
    if not foreseen:
        monkeypatch.setattr(dataset_module, "check_free_space", lambda *_: None)
    home = Home(small_disk / "factory")
    dataset = Dataset.create(home, "my-set")
    commit(dataset, make_rows(0, 10), 0)
    set_tag(dataset, "first")
    rebuild(Home(small_disk / "empty"))
    _fill(small_disk, 8192)
    rows = make_rows(10, 500)
    said = "are free|the disk is full"
    _one_line(lambda: commit(dataset, rows, 1), said)
    _one_line(lambda: dataset.put_media(os.urandom(50_000), ".png"), "the disk is full")
    _one_line(lambda: rebuild(home), "the disk is full")
    assert dataset.version == 1
    assert read_ids(dataset) == ids(make_rows(0, 10))
    assert not [p for p in dataset.media_folder.rglob("*") if p.is_file()]
    assert sorted(p.name for p in home.path.iterdir()) == [".catalog.lock", "datasets"]
    (small_disk / "filler").unlink()
    assert commit(dataset, make_rows(10, 20), 1) == 2
    assert rebuild(home) == []
    assert read_ids(dataset) == ids(make_rows(0, 20))


def test_a_full_disk_keeps_the_old_catalog_and_tags(small_disk: Path) -> None:
    home = Home(small_disk / "factory")
    dataset = Dataset.create(home, "a")
    set_tag(dataset, "first")
    home.prepare()
    with pytest.raises(InputError, match="the disk is full"):
        _fill(small_disk, 0)
        rebuild(home)
    _one_line(lambda: set_tag(dataset, "second"), "the disk is full")
    _one_line(lambda: Dataset.create(home, "b"), "the disk is full")
    assert home.dataset_names() == ["a"]
    assert read_tags(dataset.folder) == {"first": 0}


def _with_a_file_limit(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    dataset = Dataset.open(Home(path), "my-set")
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    _one_line(lambda: commit(dataset, make_rows(10, 3000), 1), "file size limit is reached")


def test_a_file_size_limit(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 10), 0)
    _in_a_child(_with_a_file_limit, home.path)
    assert dataset.version == 1
    assert read_ids(dataset) == ids(make_rows(0, 10))


def _as_another_user(path: Path) -> None:
    os.setgid(65534)
    os.setuid(65534)
    home = Home(path)
    dataset = Dataset.open(home, "my-set")
    said = "no permission there"
    _one_line(lambda: commit(dataset, make_rows(10, 20), 2), said)
    _one_line(lambda: Dataset.create(home, "other"), said)
    _one_line(lambda: dataset.put_media(b"x", ".png"), said)
    _one_line(lambda: set_tag(dataset, "first"), said)
    _one_line(lambda: delete_source(dataset, "https://site1.example/*"), said)
    _one_line(lambda: compact(dataset), said)
    _one_line(lambda: rebuild(home), said)
    _one_line(lambda: Home(path / "new").prepare(), said)
    assert read_ids(dataset) == ids(make_rows(0, 10)), "reading is allowed"
    assert query(home, 'FROM "my-set"').read_all().num_rows == 6


def test_a_folder_of_another_user() -> None:
    if os.getuid() != 0:
        pytest.skip("needs the right to become another user")
    # pytest's own temporary folders are closed to other users.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        dataset = Dataset.create(Home(folder), "my-set")
        commit(dataset, make_rows(0, 6), 0)
        commit(dataset, make_rows(6, 10), 1)
        rebuild(Home(folder))
        _in_a_child(_as_another_user, Path(folder))
        assert dataset.version == 2
        assert Home(folder).dataset_names() == ["my-set"]
        assert sorted(p.name for p in dataset.folder.iterdir()) == ["empty", "rows"]


def _in_a_child(check: Callable[[Path], None], path: Path) -> None:
    process = PROCESSES.Process(target=check, args=(path,))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_missing_data_files_are_named(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 10), 0)
    Path(dataset.files(status="accepted")[0]).unlink()
    _one_line(lambda: dataset.read().read_all(), "parquet: a file or folder is missing there")


def test_a_missing_log_entry_is_named(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 10), 0)
    (Path(dataset.location) / "_delta_log" / f"{0:020}.json").unlink()
    _one_line(dataset.history, "this entry of the table's log is missing")


def test_files_that_were_vacuumed_away_are_said(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 10), 0)
    commit(dataset, make_rows(10, 20), 1)
    old = dataset.files()
    compact(dataset)
    for file in old:
        Path(file).unlink()
    said = "vacuumed away"
    _one_line(lambda: dataset.read(1).read_all(), said)
    _one_line(lambda: dataset.rows_since(1).read_all(), said)
    _one_line(lambda: Difference(dataset, 1, 3).counts(), said)
    assert read_ids(dataset) == ids(make_rows(0, 20))


def test_a_damaged_log_is_said(home: Home, dataset: Dataset) -> None:
    (Path(dataset.location) / "_delta_log" / f"{0:020}.json").write_text("{broken")
    _one_line(lambda: Dataset.open(home, "my-set"), "its log cannot be read")
