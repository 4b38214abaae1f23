"""The diversity filters' memory of a dataset, kept in step with its versions."""

from collections.abc import Sequence

from filters.base import DiversityFilter
from schemas.arrow import row_from_record
from store.dataset import Dataset


class Memory:
    """Brings the filters up to the newest version of a dataset, and keeps them there.

    Accepted rows of this run are remembered as they are settled; rows that other runs commit
    meanwhile are read back at each commit of ours.
    """

    def __init__(self, dataset: Dataset, filters: Sequence[DiversityFilter], run_id: str) -> None:
        self._dataset = dataset
        self._filters = filters
        self._run_id = run_id
        self._version = 0
        self._catch_up(own=True)

    def committed(self, version: int) -> None:
        """Our batch is version `version` now: read what others committed before it."""
        if self._filters and version > self._version + 1:
            self._catch_up(own=False)
        self._version = version

    def save(self) -> None:
        """Keep the memory for the next run."""

    def _catch_up(self, own: bool) -> None:
        newest = self._dataset.version
        if self._filters:
            for batch in self._dataset.rows_since(self._version):
                for record in batch.to_pylist():
                    row = row_from_record(record)
                    if own or row.run_id != self._run_id:
                        for judge in self._filters:
                            judge.add(row.id, row)
        self._version = newest
