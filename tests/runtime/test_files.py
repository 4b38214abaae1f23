import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from synthmill.runtime import files
from synthmill.runtime.files import (
    atomic_directory,
    atomic_file,
    atomic_write,
    remove_abandoned,
)

ROOT = Path(__file__).parents[2]


def test_a_file_is_replaced_as_text_or_bytes(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folders" / "report.json"
    atomic_write(path, "größer")
    assert path.read_text("utf-8") == "größer"
    atomic_write(path, b"\0\1")
    assert path.read_bytes() == b"\0\1"
    assert [p.name for p in path.parent.iterdir()] == ["report.json"]
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask()


def test_a_block_that_fails_changes_nothing(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a", "old")
    with pytest.raises(ZeroDivisionError), atomic_file(tmp_path / "a") as file:
        file.write(b"half")
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError), atomic_directory(tmp_path / "b") as folder:
        (folder / "part").write_text("half")
        raise ZeroDivisionError
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old"}


def test_a_disk_that_takes_no_more_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a"
    atomic_write(path, "old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        with pytest.raises(OSError, match="File too large"):
            atomic_write(path, "x" * 10_000)
        with pytest.raises(OSError, match="File too large"), atomic_directory(tmp_path / "b") as b:
            (b / "part").write_text("x" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a": "old"}


def test_a_folder_appears_complete_and_the_first_one_stays(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "corpus"
    with atomic_directory(folder) as new:
        assert not folder.exists() and new.parent == folder.parent
        (new / "one").write_text("first")
        with atomic_directory(folder) as faster:
            (faster / "one").write_text("faster")
    assert (folder / "one").read_text() == "faster"
    assert [p.name for p in folder.parent.iterdir()] == ["corpus"]
    assert folder.stat().st_mode & 0o777 == 0o777 & ~umask()


def test_a_folder_can_be_replaced_whole(tmp_path: Path) -> None:
    for content in ("old", "new"):
        with atomic_directory(tmp_path / "export", replace=True) as folder:
            (folder / content).write_text(content)
    assert [p.name for p in (tmp_path / "export").iterdir()] == ["new"]
    assert [p.name for p in tmp_path.iterdir()] == ["export"]


LEAVES = """
import os, signal, sys
from pathlib import Path
from synthmill.runtime.files import atomic_directory, atomic_file
place = Path(sys.argv[1])
with atomic_file(place / "deep" / "file") as file, atomic_directory(place / "folder") as folder:
    file.write(b"half")
    (folder / "part").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_killed_processes_left_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-c", LEAVES, str(tmp_path)], cwd=ROOT, timeout=60)
    kept = [tmp_path / name for name in (".own.new", ".x.12345678", "rows/.y.12345678.new")]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("somebody's")
    remove_abandoned(tmp_path, skip={"rows"})
    assert len(list(tmp_path.rglob(".f*.new"))) == 2, "they may not be locked yet"
    monkeypatch.setattr(files, "UNLOCKED_SECONDS", 0.0)
    with atomic_file(tmp_path / "file") as file, atomic_directory(tmp_path / "other") as folder:
        file.write(b"whole")
        remove_abandoned(tmp_path, skip={"rows"})
        assert folder.is_dir()
    left = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert left == {*kept, tmp_path / "file"}
    assert not list(tmp_path.rglob(".f*.new"))


SCRIPT = """
import sys
from pathlib import Path
from synthmill.runtime.files import atomic_directory, atomic_write
place = Path(sys.argv[1])
print("started", flush=True)
for number in range(10**9):
    atomic_write(place / "file", str(number % 10) * 100_000)
    with atomic_directory(place / "folder" / str(number)) as folder:
        for name in "ab":
            (folder / name).write_text(str(number))
"""


def test_a_kill_at_any_moment_leaves_old_or_new_and_never_half(tmp_path: Path) -> None:
    rng = Random(5)
    for attempt in range(8):
        place = tmp_path / str(attempt)
        place.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(place)], cwd=ROOT, stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None and writer.stdout.readline()
            time.sleep(rng.uniform(0.02, 0.2))
            writer.kill()
        file = place / "file"
        if file.exists():
            text = file.read_text()
            assert len(text) == 100_000 and len(set(text)) == 1
        for folder in (place / "folder").glob("[0-9]*"):
            assert [(folder / name).read_text() for name in "ab"] == [folder.name] * 2


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
