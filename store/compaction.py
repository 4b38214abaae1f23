"""Rewriting many small files of a dataset as few large ones: same rows, quicker reads."""

from pathlib import Path

from synthmill.store import table
from synthmill.store.dataset import Dataset
from synthmill.store.faults import mended, require_room
from synthmill.store.reading import live_files

TARGET_BYTES = 256 * 1024 * 1024


def compact(dataset: Dataset) -> int:
    """Compact the newest version; older versions keep their files and stay readable.

    Returns:
        The newest version, which is the one before if there was nothing to do.

    Raises:
        InputError: full disk, no permission; the dataset is then as it was.
    """
    with mended(f"dataset {dataset.name!r}"):
        size = sum(Path(path).stat().st_size for path in live_files(dataset.at()))
        require_room(dataset.folder, size)
        table.retried(
            lambda: dataset.at().optimize.compact(
                target_size=TARGET_BYTES,
                writer_properties=table.WRITER,
                commit_properties=table.properties("compact", {}),
            )
        )
    return dataset.version
