"""Files that rows refer to, stored once under the hash of their bytes."""

import hashlib
import re
from pathlib import Path

from synthmill.runtime.files import atomic_write
from synthmill.schemas.errors import InputError
from synthmill.store.errors import translate_errors

MEDIA_DIR = "media"


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
    relative = f"{MEDIA_DIR}/{digest[:2]}/{digest}{suffix}"
    target = dataset / relative
    if not target.exists():
        with translate_errors(f"media of {dataset}"):
            atomic_write(target, content)
    return relative, digest
