"""Failures of disk and table, said as one line that a user can act on."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from synthmill.schemas.errors import InputError

# delta-rs and DuckDB wrap the system's error, so only its text distinguishes them.
REMEDIES = {
    "No space left on device": "the disk is full; free some space",
    "Disk quota exceeded": "the disk quota is used up; free some space",
    "File too large": "the file size limit is reached; raise `ulimit -f`",
    "Permission denied": "no permission there; use a folder of your own or --home",
    "Read-only file system": "the file system is read-only; use another folder or --home",
    "Is a directory": "a folder is where a file should be; give another name",
    "Not a directory": "a file is where a folder should be; move it away or use --home",
    "No such file or directory": "a file or folder is missing there: a wrong path, or an old "
    "version whose files were vacuumed away",
    "No files found that match": "files are gone: an old version's, vacuumed away",
    "Too many levels of symbolic links": "a symbolic link is in the way; remove it",
    "File exists": "a file is where a folder should be; move it away or use --home",
}


def check_free_space(folder: Path, needed: int) -> None:
    """Check the free space before writing; on a full disk delta-rs panics half-way.

    Raises:
        InputError: fewer than `needed` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(f"{folder}: {needed:,} bytes are to be written, {free:,} are free")


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Turn failures that the user can correct into `InputError`; others pass unchanged."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # OSError, or what delta-rs and DuckDB make of one
        remedy = hint_for(error)
        if remedy is None:
            raise
        raise InputError(f"{what}: {remedy}") from error


def hint_for(error: Exception) -> str | None:
    """What the user can do about a failure of the disk or the table, or None if unknown."""
    return next((remedy for sign, remedy in REMEDIES.items() if sign in str(error)), None)
