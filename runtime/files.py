"""Files and folders that appear under their name only when they are complete.

What is written goes beside its target under a hidden temporary name and is then renamed. Whenever
the process dies, the name stands for the old content or the new one. A killed process may leave
the temporary behind, which nothing reads.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


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
    fresh = _beside(folder)
    fresh.mkdir()
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


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
