"""A table of an older Synthmill, whose rows had fewer columns, goes on being read and written."""

import pytest
from deltalake import Transaction, write_deltalake

from synthmill.schemas.arrow import ROW_SCHEMA, rows_to_table
from synthmill.store import table
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.difference import Difference
from synthmill.store.home import Home
from synthmill.store.maintenance import compact
from synthmill.store.query import query
from synthmill.store.snapshot import DatasetSnapshot
from tests.store.building import commit, ids, make_rows, read_ids

OLD_SCHEMA = ROW_SCHEMA.remove(ROW_SCHEMA.get_field_index("difficulty"))


@pytest.fixture
def dataset(home: Home, monkeypatch: pytest.MonkeyPatch) -> Dataset:
    with monkeypatch.context() as old:
        old.setattr(table, "ROW_SCHEMA", OLD_SCHEMA)
        dataset = Dataset.create(home, "my-set")
    rows = rows_to_table(make_rows(0, 6)).select(OLD_SCHEMA.names)
    properties = table.properties(
        "commit", {"run_id": "run-1", "batch": 0}, Transaction("run-1", 0)
    )
    write_deltalake(dataset.location, rows, mode="append", commit_properties=properties)
    return dataset


def test_columns_are_added_by_the_next_commit(home: Home, dataset: Dataset) -> None:
    assert read_ids(dataset) == ids(make_rows(0, 6))
    rebuild(home)
    assert query(home, 'FROM "my-set"').read_all().num_rows == 4
    commit(dataset, make_rows(6, 12, difficulty=0.5), 1)
    assert read_ids(dataset) == ids(make_rows(0, 12))
    assert [row.difficulty for row in dataset.rows()] == [None] * 4 + [0.5] * 4
    assert [row.difficulty for row in dataset.rows(1)] == [None] * 4
    rebuild(home)
    counted = query(home, 'SELECT count(*), sum(difficulty) FROM "my-set"').read_all()
    assert list(counted.to_pylist()[0].values()) == [8, 2.0]
    assert len(Difference(dataset, 0, 2).rows().read_all()) == 12
    assert sorted(row["id"] for row in DatasetSnapshot(dataset).to_datasets()) == ids(
        make_rows(0, 12)
    )


def test_rewritten_files_keep_their_rows(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(6, 12, difficulty=0.5), 1)
    delete_source(dataset, "https://site1.example/*")
    compact(dataset)
    kept = [r for r in make_rows(0, 12) if not r.sources[0].uri.startswith("https://site1.")]
    assert read_ids(dataset) == ids(kept)
    added = dataset.rows_since(1).read_all()
    assert added.column("difficulty").to_pylist() == [0.5] * len(added)
    rebuild(home)
    assert query(home, 'FROM "my-set_all"').read_all().num_rows == len(kept)
