"""Random histories: every way to read every version agrees with a plain list of rows."""

import itertools
import random

import pytest

from synthmill.schemas.row import Row
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.difference import Difference
from synthmill.store.home import Home
from synthmill.store.maintenance import compact
from synthmill.store.query import query
from tests.store.building import commit, ids, make_rows, read_ids

STEPS = 10


class History:
    """A dataset, and beside it what each version should hold."""

    def __init__(self, home: Home, seed: int) -> None:
        self.random = random.Random(seed)
        self.dataset = Dataset.create(home, "my-set")
        self.versions: list[list[Row]] = [[]]
        self.denied: list[str] = []
        self.made = self.batch = 0

    def step(self) -> None:
        """Do one thing to the dataset and to the list."""
        self.random.choices([self._commit, self._delete, self._compact], weights=[6, 2, 2])[0]()
        while len(self.versions) <= self.dataset.version:  # a denial or compaction changes none
            self.versions.append(self.versions[-1])

    def _allowed(self, rows: list[Row]) -> list[Row]:
        return [r for r in rows if not any(r.sources[0].uri.startswith(d) for d in self.denied)]

    def _commit(self) -> None:
        rows = make_rows(self.made, self.made + self.random.randrange(8))
        again = self.random.sample(self.versions[-1], min(2, len(self.versions[-1])))
        self.made += len(rows)
        commit(self.dataset, [*rows, *again], self.batch)
        self.batch += 1
        self.versions.append(self._allowed([*self.versions[-1], *rows, *again]))

    def _delete(self) -> None:
        site = f"https://site{self.random.randrange(5)}.example/"
        before = self.dataset.version
        done = delete_source(self.dataset, site + "*")
        self.denied.append(site)
        kept = self._allowed(self.versions[-1])
        assert sum(done.rows.values()) == len(self.versions[-1]) - len(kept)
        while len(self.versions) < self.dataset.version and self.dataset.version > before:
            self.versions.append(self.versions[-1])
        if done.rows:
            self.versions.append(kept)

    def _compact(self) -> None:
        compact(self.dataset)


@pytest.mark.parametrize("seed", range(6))
def test_every_reader_agrees(home: Home, seed: int) -> None:
    history = History(home, seed)
    for _ in range(STEPS):
        history.step()
        if history.random.random() < 0.4:
            rebuild(home)
    rebuild(home)
    dataset, versions = history.dataset, history.versions
    assert dataset.version == len(versions) - 1
    for number, rows in enumerate(versions):
        assert read_ids(dataset, number) == ids(rows)
        assert read_ids(dataset, number, "rejected") == ids(rows, "rejected")
        seen = query(home, f'SELECT id FROM "my-set_at"({number})').read_all()["id"].to_pylist()
        assert sorted(seen) == sorted(row.id for row in rows)
    for old, new in itertools.pairwise(range(len(versions))):
        _agrees(dataset, versions, old, new)
    _agrees(dataset, versions, 0, len(versions) - 1)
    _agrees(dataset, versions, len(versions) - 1, 1)
    for number in range(len(versions)):
        _since(dataset, versions, number)


def _agrees(dataset: Dataset, versions: list[list[Row]], old: int, new: int) -> None:
    records = Difference(dataset, old, new).rows().read_all().to_pylist()
    for change, more, fewer in (("added", new, old), ("removed", old, new)):
        expected = [row.id for row in versions[more]]
        for row in versions[fewer]:
            if row.id in expected:
                expected.remove(row.id)
        assert sorted(r["id"] for r in records if r["change"] == change) == sorted(expected)


def _since(dataset: Dataset, versions: list[list[Row]], number: int) -> None:
    """An index that holds a version and adds the rows since holds all that stand."""
    added = set(dataset.rows_since(number, ["id"]).read_all()["id"].to_pylist())
    before, now = set(ids(versions[number])), set(ids(versions[-1]))
    assert now - before <= added <= now
