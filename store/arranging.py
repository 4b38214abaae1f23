"""Copying, renaming, dropping and merging datasets.

A new dataset is built in a folder aside and renamed into place when it is complete: whenever the
process dies, the name stands for what it stood for before, or for the whole new dataset.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable

from synthmill.runtime.files import temporary_folder, temporary_name
from synthmill.schemas.errors import InputError
from synthmill.store.blocklist import matches
from synthmill.store.dataset import Dataset
from synthmill.store.errors import translate_errors
from synthmill.store.home import Home, dataset_name
from synthmill.store.log import entry_path, read_log
from synthmill.store.media import MEDIA_DIR
from synthmill.store.table import CHECKPOINT_INTERVAL
from synthmill.store.tags import read_tags, resolve, set_tag

ASIDE = "aside"  # folders of a home that are being built or removed


def copy_dataset(home: Home, name: str, new: str, version: str | int | None = None) -> int:
    """Copy a dataset with its versions, tags and files up to a version (the newest by default).

    Files are hard links where the disk has them, so that a copy takes no space; both datasets
    change independently.

    Returns:
        The newest version of the copy.

    Raises:
        InputError: no such dataset or version, or the new name is taken or not allowed.
    """
    old = Dataset.open(home, name)
    last = resolve(old, version)
    with _new_dataset(home, new) as aside:
        folder = aside.dataset(new)
        origin, rows = Path(old.location), folder / "rows"
        for entry in read_log(origin, last):
            _link(
                entry_path(origin, entry.version.version), entry_path(rows, entry.version.version)
            )
            for file in entry.added:
                if (origin / file.path).exists():  # else an old version's, vacuumed away
                    _link(origin / file.path, rows / file.path)
        for kept in (MEDIA_DIR, "state"):
            _link_all(old.folder / kept, folder / kept)
        if last >= CHECKPOINT_INTERVAL:
            DeltaTable(str(rows)).create_checkpoint()
        copy = Dataset.open(aside, new)
        for tag, number in read_tags(old.folder).items():
            if number <= last:
                set_tag(copy, tag, number)
    return last


def rename_dataset(home: Home, name: str, new: str) -> None:
    """Give a dataset another name. No run may write to it meanwhile.

    Raises:
        InputError: there is no such dataset, or the new name is taken or not allowed.
    """
    old = Dataset.open(home, name)
    _check_free(home, new)
    _forget_indexes(home, name, new)
    _place(old.folder, home, new)


def drop_dataset(home: Home, name: str) -> None:
    """Remove a dataset with all its versions and files; reports of its runs stay.

    Raises:
        InputError: there is no such dataset, or no permission.
    """
    dataset = Dataset.open(home, name)
    _forget_indexes(home, name)
    aside = temporary_name(home.path, ASIDE)
    with translate_errors(f"dataset {name!r}"):
        dataset.folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


@dataclass(slots=True)
class Merging:
    """A merge: the new dataset, which is not in its place yet, and what became of the rows.

    `repeated` counts accepted rows whose id an earlier row had, and rejected rows that were in a
    dataset before; `blocked` rows of sources that one of the datasets blocks.
    """

    dataset: Dataset
    rows: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    blocked: int = 0


@contextmanager
def merging(home: Home, names: Sequence[str], new: str) -> Iterator[Merging]:
    """Merge the newest versions of datasets into a new one, in place when the block ends.

    Every id is accepted once: of rows with one id, that of the dataset named first stays. Rows keep
    what they say of their run, model and sources; media files come along; a source that any of
    the datasets blocks is blocked in the new one.

    Raises:
        InputError: a dataset does not exist, or the new name is taken or not allowed.
    """
    if len(names) < 2:
        raise InputError("a merge takes at least two datasets")
    origins = [(name, Dataset.open(home, name)) for name in names]
    pinned = [(old, old.version) for _, old in origins]
    blocked: dict[str, list[str]] = {}
    for old, _ in pinned:
        for pattern, hashes in old.blocklist().items():
            blocked[pattern] = sorted({*blocked.get(pattern, ()), *hashes})
    with _new_dataset(home, new) as aside:
        merge = Merging(Dataset.create(aside, new))
        if blocked:
            merge.dataset.set_blocklist(blocked, "block", ", ".join(blocked))
        for old, _ in pinned:
            _link_all(old.media_folder, merge.dataset.media_folder)
        stream = _merged(merge, pinned, merge.dataset.blocked_sources())
        subject = " ".join(f"{old.name}@{version}" for old, version in pinned)
        merge.dataset.write(stream, "merge", subject)
        yield merge


def _merged(
    merge: Merging, pinned: Sequence[tuple[Dataset, int]], blocked: Sequence[str]
) -> pa.RecordBatchReader:
    # Opened here: delta-rs panics when a table is used by the rows that it is writing.
    streams = [old.read(version, None) for old, version in pinned]

    def batches() -> Iterator[pa.RecordBatch]:
        seen: set[tuple[str, ...]] = set()
        for stream in streams:
            for batch in stream:
                kept = []
                barred = matches(batch, blocked).to_pylist() if blocked else [False] * len(batch)
                columns = [batch.column(name).to_pylist() for name in KEY]
                for bar, status, *key in zip(barred, *columns, strict=True):
                    own = (key[0],) if status == "accepted" else tuple(key)
                    fresh = not bar and own not in seen
                    if fresh:
                        seen.add(own)
                    merge.blocked += bar
                    merge.repeated += not bar and not fresh
                    merge.rows[status] += fresh
                    kept.append(fresh)
                yield batch.filter(pa.array(kept))

    return pa.RecordBatchReader.from_batches(streams[0].schema, batches())


KEY = ("status", "id", "run_id", "task_key")


@contextmanager
def _new_dataset(home: Home, name: str) -> Iterator[Home]:
    """A home aside in which dataset `name` is built; it is moved into `home` at the end."""
    _check_free(home, name)
    with translate_errors(f"dataset {name!r}"), temporary_folder(home.path, ASIDE) as folder:
        aside = Home(folder)
        yield aside
        _forget_indexes(home, name)
        _place(aside.dataset(name), home, name)


def _check_free(home: Home, name: str) -> None:
    if home.dataset(name).exists():
        raise InputError(f"there is a dataset {name!r} in {home.path} already; give another name")


def _place(folder: Path, home: Home, name: str) -> None:
    try:
        folder.rename(home.dataset(name))
    except OSError as error:
        _check_free(home, name)
        raise InputError(f"dataset {name!r}: {error.strerror}") from error


def _forget_indexes(home: Home, *names: str) -> None:
    """Diversity indexes are projections: the next run makes them again for what is there then."""
    for name in names:
        shutil.rmtree(home.index(dataset_name(name)), ignore_errors=True)


def _link_all(old: Path, new: Path) -> None:
    for path in old.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            _link(path, new / path.relative_to(old))


def _link(old: Path, new: Path) -> None:
    """Files of a dataset never change under their name, so that two datasets may share them."""
    if new.exists():
        return
    new.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(old, new)
    except OSError:  # another file system, or one without links
        shutil.copy2(old, new)
