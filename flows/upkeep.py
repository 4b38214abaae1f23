"""Keeping a dataset quick and small: few large files, none that nobody can read any more."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from synthmill.schemas.errors import InputError
from synthmill.store import catalog
from synthmill.store.compaction import compact
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.tags import read_tags

# Younger files may belong to a commit that is being made; ours: no batch takes a day to write.
SAFE_HOURS = 24


class Upkeep(NamedTuple):
    """What was done to a dataset."""

    dataset: str
    version: int
    files_before: int
    files: int
    files_deleted: int


def tend_all(home: Home, keep_days: int | None) -> tuple[list[Upkeep], list[str]]:
    """Tend every dataset of a home, and bring its catalog up to date.

    Returns:
        What was done, and a line for each thing that could not be done: a dataset that cannot be
        tended does not keep the others from it.
    """
    done, problems = [], []
    for name in home.dataset_names():
        try:
            done.append(tend(Dataset.open(home, name), keep_days))
        except InputError as error:
            problems.append(str(error))
    return done, problems + (catalog.rebuild(home) if home.path.is_dir() else [])


def tend(dataset: Dataset, keep_days: int | None) -> Upkeep:
    """Compact the newest version and delete files that no version to be kept reads.

    Kept are the newest version, those with a tag, and those that were the newest within the last
    `keep_days` days; all of them by default, so that only left-overs of crashes go.

    Raises:
        InputError: full disk, no permission.
    """
    before = len(dataset.files())
    version = compact(dataset)
    deleted = dataset.at().vacuum(
        retention_hours=SAFE_HOURS,
        dry_run=False,
        enforce_retention_duration=False,  # the table's own bound is for other programs' vacuums
        full=True,
        keep_versions=versions_to_keep(dataset, keep_days),
    )
    return Upkeep(dataset.name, version, before, len(dataset.files()), len(deleted))


def versions_to_keep(dataset: Dataset, keep_days: int | None) -> list[int]:
    """The versions that stay readable."""
    history = dataset.history()
    if keep_days is None:
        return [version.version for version in history]
    since = datetime.now(UTC) - timedelta(days=keep_days)
    kept = {history[-1].version, *read_tags(dataset.folder).values()}
    # A version was the newest until the next one came.
    pairs = itertools.pairwise(history)
    return sorted(kept | {old.version for old, new in pairs if new.committed_at >= since})
