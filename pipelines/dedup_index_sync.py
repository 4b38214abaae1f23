"""Keeps the diversity filters' indexes in step with the versions of their dataset."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from synthmill.filters.base import DiversityFilter
from synthmill.filters.index import DatasetIndex, index_folder
from synthmill.schemas.arrow import row_from_record
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.row import Row
from synthmill.store.dataset import Dataset


class DedupIndexSync:
    """Brings the filters' indexes up to the newest version of a dataset, and keeps them there.

    Accepted rows of a run are added as they are settled; what other runs commit meanwhile is read
    back at each commit of this run.

    Raises:
        InputError: an index on disk cannot be used; the message says how to rebuild it.
    """

    def __init__(
        self,
        dataset: Dataset,
        filters: Sequence[DiversityFilter],
        progress: Callable[[str, int, int | None], None] = lambda message, done, total: None,
    ) -> None:
        """`progress` is called with what is done and the rows so far while an index is filled."""
        self._dataset = dataset
        self._progress = progress
        self._version = dataset.version
        root = _root(dataset)
        self._indexes = [DatasetIndex.open(index_folder(root, f), f) for f in filters]
        for index in self._indexes:
            index.catch_up(self._rows_since(index.covered_version or 0), self._version)

    def committed(self, version: int) -> None:
        """This run has committed `version`: add what other runs committed before it."""
        if version > self._version + 1:
            for index in self._indexes:
                index.catch_up(self._rows_since(self._version), version)
        self._version = version

    def save(self) -> None:
        """Store the indexes for the next run; call it once all added rows are committed."""
        for index in self._indexes:
            index.save(self._version)

    def _rows_since(self, version: int) -> Iterator[tuple[str, Row]]:
        done = 0
        for batch in self._dataset.rows_since(version):
            done += len(batch)
            self._progress("reading rows into diversity indexes", done, None)
            for record in batch.to_pylist():
                row = row_from_record(record)
                yield row.id, row


def _root(dataset: Dataset) -> Path:
    """The folder of the indexes.

    An index only grows, so each deletion of a source and each refiltering starts new ones.
    """
    shrunk = [v.version for v in dataset.history() if v.operation == "refilter"]
    ended = [*dataset.blocked_sources(), *map(str, shrunk)]
    generation = sha256_text(canonical_json(ended))[:12] if ended else "all"
    return dataset.home.index(dataset.name) / generation
