"""Files that rows refer to, stored once under the hash of their bytes."""

import hashlib
import os
import re
import tempfile
from pathlib import Path

from synthmill.schemas.errors import InputError
from synthmill.store.faults import mended

FOLDER = "media"


def put_media(dataset: Path, content: bytes, suffix: str) -> tuple[str, str]:
    """Store `content` and return its path relative to the dataset's folder, and its SHA-256.

    Storing the same bytes again changes nothing; a crash leaves no half-written file under a
    final name.

    Raises:
        InputError: the suffix is not one (such as '.png'), or the file cannot be written.
    """
    if not re.fullmatch(r"\.[a-z0-9]{1,10}", suffix):
        raise InputError(f"media suffix {suffix!r} is not a dot and up to 10 letters or digits")
    digest = hashlib.sha256(content).hexdigest()
    relative = f"{FOLDER}/{digest[:2]}/{digest}{suffix}"
    target = dataset / relative
    if not target.exists():
        with mended(f"media of {dataset}"):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, content)
    return relative, digest


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that its name never stands for a part of it."""
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        os.replace(name, target)  # noqa: PTH105
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
