"""Files and folders that appear under their name only when they are complete.

What is written goes beside its target under a hidden temporary name and is then renamed. Whenever
the process dies, the name stands for the old content or the new one. A killed process may leave
the temporary behind, which nothing reads.
"""

import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
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
    _remove_abandoned(folder)
    fresh = _beside(folder)
    fresh.mkdir()
    lock = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
    fcntl.flock(lock, fcntl.LOCK_EX)  # until this process ends, whatever ends it
    try:
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
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        os.close(lock)


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes left while they built this folder."""
    for left in folder.parent.iterdir():
        if not re.fullmatch(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{8}}\.new", left.name):
            continue
        with suppress(OSError):
            if time.time() - left.stat().st_mtime < UNLOCKED_SECONDS:
                continue
            lock = os.open(left, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
