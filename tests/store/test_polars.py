"""Polars reads any version: the Arrow stream of a snapshot, and the Delta table itself."""

from typing import Any

import polars as pl
from deltalake import DeltaTable

from synthmill.schemas.arrow import row_from_record
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.snapshot import DatasetSnapshot
from tests.store.building import commit, make_rows, read_ids


def test_a_snapshot_is_a_stream_that_polars_reads(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 10), 0)
    commit(dataset, make_rows(10, 20), 1)
    delete_source(dataset, "https://site1.example/*")
    for version in (1, 2, None):
        frame: Any = pl.DataFrame(DatasetSnapshot(dataset, version))
        assert sorted(frame["id"]) == read_ids(dataset, version)
    (record,) = frame.filter(pl.col("id") == frame["id"][0]).to_dicts()
    expected = next(row for row in dataset.rows() if row.id == record["id"])
    assert row_from_record({**record, "status": "accepted"}) == expected


def test_polars_reads_the_delta_table_of_any_version(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 10), 0)
    commit(dataset, make_rows(10, 20), 1)
    for version in (1, 2):
        frame = pl.scan_delta(dataset.location, version=version)
        accepted = frame.filter(pl.col("status") == "accepted").select("id").collect()
        assert sorted(accepted["id"]) == read_ids(dataset, version)
    through_arrow: Any = pl.from_arrow(DeltaTable(dataset.location).to_pyarrow_table())
    counts = dict(through_arrow.group_by("status").len().iter_rows())
    assert counts == {status: len(read_ids(dataset, None, status)) for status in counts}
