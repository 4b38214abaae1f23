"""Named pointers to versions: one small file each, replaced atomically."""

import re
from pathlib import Path

from synthmill.runtime.files import atomic_write
from synthmill.schemas.errors import InputError, nearest
from synthmill.store.dataset import Dataset
from synthmill.store.errors import translate_errors

FOLDER = "tags"
LATEST = "latest"  # always the newest version, so it cannot be a tag
NAME = r"[A-Za-z][A-Za-z0-9._-]{0,63}"


def set_tag(dataset: Dataset, tag: str, version: int | None = None) -> int:
    """Point `tag` at a version (the newest by default), moving it if it exists.

    Returns:
        The version it points at now.

    Raises:
        InputError: the name is not allowed, or there is no such version.
    """
    if not re.fullmatch(NAME, tag) or tag == LATEST:
        raise InputError(
            f"{tag!r} cannot name a version: a letter, then letters, digits, '.', '_' and '-', "
            f"64 at most, and not {LATEST!r}"
        )
    target = int(dataset.at(version).version())
    folder = dataset.folder / FOLDER
    with translate_errors(f"tag {tag!r} of dataset {dataset.name!r}"):
        atomic_write(folder / tag, f"{target}\n")
    return target


def remove_tag(dataset: Dataset, tag: str) -> None:
    """Remove a tag; the version stays.

    Raises:
        InputError: there is no such tag.
    """
    if tag not in read_tags(dataset.folder):
        raise _unknown(dataset, tag)
    (dataset.folder / FOLDER / tag).unlink(missing_ok=True)


def resolve(dataset: Dataset, pointer: str | int | None) -> int:
    """The version that a tag or a number names; the newest for None or 'latest'.

    Raises:
        InputError: there is no such tag or version.
    """
    if pointer is None or pointer == LATEST:
        return dataset.version
    tags = read_tags(dataset.folder)
    if isinstance(pointer, str) and pointer in tags:
        return tags[pointer]
    # Longer numbers are no versions, and Python reads no number of thousands of digits.
    if isinstance(pointer, int) or re.fullmatch(r"[0-9]{1,18}", pointer):
        return int(dataset.at(int(pointer)).version())
    raise _unknown(dataset, pointer)


def _unknown(dataset: Dataset, tag: str) -> InputError:
    tags = read_tags(dataset.folder)
    return InputError(
        f"dataset {dataset.name!r} has no tag {tag!r:.80}{nearest(tag[:80], tags)}; "
        f"known: {', '.join(tags) or 'none yet'}"
    )


def read_tags(folder: Path) -> dict[str, int]:
    """Tags of the dataset in `folder` and the versions they point at, sorted by name."""
    files = sorted((folder / FOLDER).glob("[A-Za-z]*"))
    return {file.name: _version_in(file) for file in files}


def _version_in(file: Path) -> int:
    text = file.read_text("ascii", "replace").strip()
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise InputError(f"{file} is damaged: it holds no version; remove it and tag again")
    return int(text)
