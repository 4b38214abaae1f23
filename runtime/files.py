"""Files and folders that appear under their name only when they are complete.

What is written goes beside its target under a hidden temporary name and is then renamed. Whenever
the process dies, the name stands for the old content or the new one. A killed process leaves the
temporary behind, which nothing reads: temporaries are locked as long as their process lives, and
`remove_abandoned` removes those that are not.
"""

import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

UNLOCKED_SECONDS = 5.0  # ours: a new folder may not be locked yet


def atomic_write(path: Path, data: str | bytes) -> None:
    """Replace a file's content (text as UTF-8), synced to disk; parent folders are made.

    Raises:
        OSError: it cannot be written; the old content is still there.
    """
    with atomic_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A new file to write to, which replaces `path` when the block ends without an exception.

    Raises:
        OSError: as `atomic_write`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(path)
    try:
        with fresh.open("xb") as file:
            _lock(file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


@contextmanager
def atomic_directory(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """A new folder to fill, which becomes `folder` when the block ends without an exception.

    Where `folder` exists by then, it stays as it is: another process has built the same. With
    `replace` it is moved out of the way and removed, which is not atomic: a process killed
    between two renames leaves no folder under the name.

    Raises:
        OSError: it cannot be made or renamed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.iterdir():
        if _is_temporary(left.name, re.escape(folder.name)):
            _remove_if_abandoned(left)
    with temporary_folder(folder.parent, folder.name) as fresh:
        yield fresh
        old = _beside(folder)
        if replace and folder.exists():
            folder.rename(old)
        try:
            fresh.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            if replace or not folder.exists():
                raise
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def temporary_folder(parent: Path, name: str) -> Iterator[Path]:
    """A new hidden folder in `parent`, removed when the block ends (or, after a kill, by a sweep).

    Raises:
        OSError: it cannot be made.
    """
    fresh = _beside(parent / name)
    fresh.mkdir()
    lock = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(lock)
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(lock)


def temporary_name(parent: Path, name: str) -> Path:
    """A path for what is removed at once, and by a sweep where the process is killed meanwhile."""
    return _beside(parent / name)


def remove_abandoned_of(parent: Path, name: str) -> bool:
    """Remove the temporaries of one name; whether a killed process had left any."""
    found = False
    for left in parent.iterdir():
        if _is_temporary(left.name, re.escape(name)):
            _remove_if_abandoned(left)
            found |= not left.exists()
    return found


def remove_abandoned(folder: Path, skip: Collection[str] = ()) -> None:
    """Remove the temporaries that killed processes have left in a folder and the folders in it.

    Folders whose name is in `skip` are not looked into.
    """
    for place, folders, files in os.walk(folder):
        temporary = [name for name in (*folders, *files) if _is_temporary(name)]
        for name in temporary:
            _remove_if_abandoned(Path(place, name))
        folders[:] = [name for name in folders if name not in temporary and name not in skip]


def _remove_if_abandoned(left: Path) -> None:
    with suppress(OSError):
        if time.time() - left.lstat().st_mtime < UNLOCKED_SECONDS:
            return
        lock = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink()
        finally:
            os.close(lock)


def _lock(descriptor: int) -> None:
    """Lock a temporary until it is closed or this process ends, whatever ends it."""
    with suppress(OSError):  # a file system without locks
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_temporary(name: str, of: str = ".+") -> bool:
    return re.fullmatch(rf"\.{of}\.[0-9a-f]{{8}}\.new", name) is not None


def _beside(path: Path) -> Path:
    if not path.name:  # the current folder
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
