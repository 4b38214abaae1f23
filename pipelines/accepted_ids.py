"""The ids that a dataset has accepted: each is accepted once, whatever run it comes from."""

from collections.abc import Iterator

import numpy as np

from synthmill.store.dataset import Dataset


class AcceptedIds:
    """The ids of a dataset's accepted rows, and of the rows that a run has accepted since.

    Those of earlier versions take 8 bytes each (64 of an id's 96 bits: odds of a false match below
    1e-7 for a million ids and a million rows).
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._version = dataset.version
        every = (_numbers(batch.column("id")) for batch in dataset.read(columns=["id"]))
        self._earlier = np.sort(np.concatenate([np.empty(0, np.uint64), *every]))
        self._new: set[str] = set()

    def __contains__(self, row_id: str) -> bool:
        if row_id in self._new:
            return True
        number = _number(row_id)
        place = int(np.searchsorted(self._earlier, number))
        return place < len(self._earlier) and bool(self._earlier[place] == number)

    def add(self, row_id: str) -> None:
        """Add the id of a row that is accepted."""
        self._new.add(row_id)

    def of_others(self) -> set[str]:
        """The ids that other runs have committed since the last call; they are added here."""
        version = self._dataset.version
        if version == self._version:
            return set()
        found = set(self._since(self._version))
        self._version = version
        self._new |= found
        return found

    def committed(self, version: int) -> None:
        """This run has committed `version`."""
        self._version = version

    def _since(self, version: int) -> Iterator[str]:
        for batch in self._dataset.rows_since(version, ["id"]):
            yield from batch.column("id").to_pylist()


def _number(row_id: str) -> np.uint64:
    return np.uint64(int(row_id[:16], 16))


def _numbers(ids: object) -> "np.ndarray[tuple[int], np.dtype[np.uint64]]":
    return np.array([_number(row_id) for row_id in ids.to_pylist()], np.uint64)  # type: ignore[attr-defined]
