"""Maintenance of datasets: compaction, and deletion of files that no version needs."""

import itertools
import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from synthmill.schemas.errors import InputError
from synthmill.store import catalog, table
from synthmill.store.dataset import Dataset
from synthmill.store.errors import check_free_space, translate_errors
from synthmill.store.home import Home
from synthmill.store.reading import live_files
from synthmill.store.tags import read_tags

TARGET_BYTES = 256 * 1024 * 1024
# Younger files may belong to a commit in progress; ours: no batch takes a day.
SAFE_HOURS = 24
MOST_DAYS = 36_500


class MaintenanceResult(NamedTuple):
    """What was done to a dataset; its newest version and numbers of files."""

    dataset: str
    version: int
    files_before: int
    files: int
    files_deleted: int


def maintain_all(home: Home, keep_days: int | None) -> tuple[list[MaintenanceResult], list[str]]:
    """Compact and vacuum every dataset of a home, and bring its catalog up to date.

    Returns:
        The results, and one line per problem: a dataset that fails does not stop the others.
    """
    done, problems = [], []
    home.remove_abandoned()
    for name in home.dataset_names():
        try:
            done.append(compact_and_vacuum(Dataset.open(home, name), keep_days))
        except InputError as error:
            problems.append(str(error))
    return done, problems + (catalog.rebuild(home) if home.path.is_dir() else [])


def compact_and_vacuum(dataset: Dataset, keep_days: int | None) -> MaintenanceResult:
    """Compact the newest version and delete files that no kept version needs.

    Kept are the newest version, tagged versions, and versions that were the newest within the last
    `keep_days` days. With None every version is kept, and only files left behind by crashes are
    deleted.

    Raises:
        InputError: full disk, no permission.
    """
    before = len(dataset.files())
    remove_states(dataset)
    version = compact(dataset)
    deleted = dataset.at().vacuum(
        retention_hours=SAFE_HOURS,
        dry_run=False,
        enforce_retention_duration=False,  # the table's own bound is for other programs' vacuums
        full=True,
        keep_versions=versions_to_keep(dataset, keep_days),
    )
    return MaintenanceResult(dataset.name, version, before, len(dataset.files()), len(deleted))


def compact(dataset: Dataset) -> int:
    """Rewrite small files of the newest version as few large ones: same rows, faster reads.

    Older versions keep their files and stay readable.

    Returns:
        The newest version; unchanged if there was nothing to do.

    Raises:
        InputError: full disk, no permission; the dataset is then unchanged.
    """
    with translate_errors(f"dataset {dataset.name!r}"):
        size = sum(Path(path).stat().st_size for path in live_files(dataset.at(), dataset.location))
        check_free_space(dataset.folder, size)
        table.retry_on_conflict(
            lambda: dataset.at().optimize.compact(
                target_size=TARGET_BYTES,
                writer_properties=table.WRITER,
                commit_properties=table.properties("compact", {}),
            )
        )
    return dataset.version


def remove_states(dataset: Dataset) -> list[Path]:
    """Delete feedback states that no run continues from: older ones than its last commit's.

    Returns:
        The files that were deleted; files younger than `SAFE_HOURS` stay.
    """
    last = {v.commit.run_id: v.commit.state for v in dataset.history() if v.commit}
    folder, needed = dataset.folder / "state", set[str]()
    for name in filter(None, last.values()):
        index = folder / f"{name}.json"
        if index.is_file():
            needed |= {name, *json.loads(index.read_text("utf-8"))["states"]}
    before = time.time() - 3600 * SAFE_HOURS
    old = [p for p in folder.glob("*.json") if p.stem not in needed and p.stat().st_mtime < before]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def versions_to_keep(dataset: Dataset, keep_days: int | None) -> list[int]:
    """The versions that must stay readable."""
    history = dataset.history()
    if keep_days is None:
        return [version.version for version in history]
    if not 0 <= keep_days <= MOST_DAYS:
        raise InputError(f"versions are kept for 0 to {MOST_DAYS:,} days, not {keep_days:,}")
    since = datetime.now(UTC) - timedelta(days=keep_days)
    kept = {history[-1].version, *read_tags(dataset.folder).values()}
    # A version was the newest until the next one was committed.
    pairs = itertools.pairwise(history)
    return sorted(kept | {old.version for old, new in pairs if new.committed_at >= since})
