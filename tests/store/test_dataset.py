import hashlib
import itertools
import json
from datetime import UTC

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmill.schemas.arrow import ROW_SCHEMA, row_from_record, rows_to_table
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.row import Row, Score
from synthmill.schemas.verdict import Verdict
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.maintenance import compact
from synthmill.store.metadata import CommitMetadata
from tests.store.building import commit, ids, make_row, make_rows, read_ids


def test_a_batch_is_committed_once(dataset: Dataset) -> None:
    rows = make_rows(0, 10)
    assert commit(dataset, rows, 0) == 1
    assert commit(dataset, rows, 0) is None
    assert commit(dataset, make_rows(10, 20), 1) == 2
    assert commit(dataset, rows, 0) is None, "a later batch being in, an earlier one is too"
    assert commit(dataset, make_rows(20, 30), 0, run_id="run-2") == 3
    assert read_ids(dataset) == ids(make_rows(0, 30))
    assert read_ids(dataset, status="rejected") == ids(make_rows(0, 30), "rejected")


def test_a_batch_without_rows_moves_the_cursor(dataset: Dataset) -> None:
    assert commit(dataset, [], 0, checkpoint='{"tasks": 7}') == 1
    assert commit(dataset, [], 0) is None
    last = dataset.last_commit("run-1")
    assert last is not None and last[0] == 0 and json.loads(last[1].checkpoint) == {"tasks": 7}


def test_metadata_comes_back_as_it_went_in(dataset: Dataset) -> None:
    metadata = CommitMetadata(
        run_id="run-1",
        batch=3,
        checkpoint='{"state": "ünïcode \\u2028 \\"quoted\\""}',
        recipe='{"name": "x"}',
        recipe_hash="1-abc",
        generator="cotevol@1",
        models={"default": "synthmill-lm"},
        counts={"accepted": 2, "rejected": 1},
        code_version="0.1.0",
    )
    dataset.commit(make_rows(0, 3), run_id="run-1", batch=3, metadata=metadata)
    commit(dataset, make_rows(3, 6), 0, run_id="run-2")
    assert dataset.last_commit("run-1") == (3, metadata)
    assert dataset.last_commit("nobody") is None
    created, first, second = dataset.history()
    assert (created.operation, created.commit) == ("create", None)
    assert first.commit == metadata
    assert first.rows_added == {"accepted": 2, "rejected": 1}
    assert second.commit is not None and second.commit.run_id == "run-2"
    assert first.committed_at.tzinfo is UTC and first.committed_at <= second.committed_at


def test_every_version_stays_readable(dataset: Dataset) -> None:
    for batch in range(4):
        commit(dataset, make_rows(batch * 5, batch * 5 + 5), batch)
    compact(dataset)
    for version in range(5):
        assert read_ids(dataset, version) == ids(make_rows(0, version * 5))
    assert read_ids(dataset) == ids(make_rows(0, 20))
    assert dataset.history()[-1].operation == "compact"
    assert (dataset.history()[-1].rows_added, dataset.history()[-1].rows_removed) == ({}, {})


def test_rows_are_read_in_the_order_of_their_commits(dataset: Dataset) -> None:
    for batch in range(12):
        commit(dataset, [make_row(batch * 3 + 1), make_row(batch * 3 + 2)], batch)
    expected = [row.id for batch in range(12) for row in make_rows(batch * 3 + 1, batch * 3 + 3)]
    assert [row.id for row in dataset.rows()] == expected


def test_reading_takes_the_memory_of_a_batch_not_of_the_dataset(dataset: Dataset) -> None:
    rows = rows_to_table([make_row(n, detail=f'"{n:0>2000}"') for n in range(1, 3000, 3)])
    for batch in range(20):
        commit(dataset, rows, batch)
    compact(dataset)
    before, most = pa.total_allocated_bytes(), 0
    for _ in dataset.read():
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < 6 * rows.nbytes


def test_columns_and_status_are_selected(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 9), 0)
    table = dataset.read(status=None, columns=["status", "id"]).read_all()
    assert table.schema.names == ["status", "id"]
    assert sorted(table["status"].to_pylist()) == ["accepted"] * 6 + ["rejected"] * 3
    assert dataset.read().schema == ROW_SCHEMA


def test_rows_since_a_version(dataset: Dataset) -> None:
    for batch in range(4):
        commit(dataset, make_rows(batch * 5, batch * 5 + 5), batch)
    added = dataset.rows_since(2, ["id"]).read_all()["id"].to_pylist()
    assert sorted(added) == ids(make_rows(10, 20))
    assert dataset.rows_since(4).read_all().num_rows == 0
    compact(dataset)
    assert dataset.rows_since(4).read_all().num_rows == 0
    again = dataset.rows_since(2).read_all()
    assert sorted(again["id"].to_pylist()) == ids(make_rows(10, 20))
    assert again.schema == ROW_SCHEMA
    commit(dataset, make_rows(20, 25), 4)
    assert sorted(dataset.rows_since(2, ["id"]).read_all()["id"].to_pylist()) == ids(
        make_rows(10, 25)
    )


def test_another_process_s_commits_are_seen(home: Home, dataset: Dataset) -> None:
    other = Dataset.open(home, "my-set")
    commit(other, make_rows(0, 5), 0)
    assert dataset.version == 1
    assert read_ids(dataset) == ids(make_rows(0, 5))
    assert commit(dataset, make_rows(0, 5), 0) is None


def test_a_row_is_found_by_the_beginning_of_its_id(dataset: Dataset) -> None:
    rows = make_rows(0, 30)
    commit(dataset, rows, 0)
    assert dataset.row(rows[7].id) == rows[7]
    assert dataset.row(rows[0].id[:20]) == rows[0]
    twin = rows[7].model_copy(update={"status": "rejected", "task_key": "other"})
    commit(dataset, [twin], 1)
    assert dataset.row(rows[7].id).status == "accepted"
    assert dataset.row(rows[7].id, status="rejected") == twin
    assert dataset.row(rows[0].id, status="accepted") == rows[0], "there is no accepted copy"
    with pytest.raises(InputError, match="no row"):
        dataset.row("ffffffffffffffffffffffff0")
    with pytest.raises(InputError, match="not the beginning of a row id"):
        dataset.row("' OR 1=1 --")
    with pytest.raises(InputError, match="several rows"):
        dataset.row(_common_prefix([row.id for row in rows]))


def _common_prefix(names: list[str]) -> str:
    firsts = [name[0] for name in names]
    return next(first for first in firsts if firsts.count(first) > 1)


def test_missing_things_are_said_in_one_line(home: Home, dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 3), 0)
    with pytest.raises(InputError, match=r"no dataset 'my-sett'.*did you mean 'my-set'"):
        Dataset.open(home, "my-sett")
    for version in (2, -1):
        with pytest.raises(InputError, match=r"no version .* it has 0 to 1"):
            dataset.read(version)
    with pytest.raises(InputError, match=r"no column 'mesages' \(did you mean 'messages'"):
        dataset.read(columns=["mesages"])


def test_media_are_stored_once_under_their_hash(dataset: Dataset) -> None:
    path, digest = dataset.put_media(b"picture", ".png")
    assert dataset.put_media(b"picture", ".png") == (path, digest)
    assert digest == hashlib.sha256(b"picture").hexdigest()
    assert (dataset.folder / path).read_bytes() == b"picture"
    assert [p.name for p in dataset.media_folder.rglob("*") if p.is_file()] == [f"{digest}.png"]
    for suffix in ("png", "../x", ".PNG/", ""):
        with pytest.raises(InputError, match="suffix"):
            dataset.put_media(b"picture", suffix)


FLOAT = st.none() | st.floats(allow_nan=False)
INT = st.integers(-(2**63), 2**63 - 1)
TIME = st.datetimes(timezones=st.just(UTC))
SOURCE = st.builds(
    SourceRef,
    title=st.none() | st.text(),
    license=st.none() | st.text(),
    start=st.none() | INT,
    end=st.none() | INT,
    retrieved_at=st.none() | TIME,
)
VERDICT = st.builds(Verdict, version=INT, score=FLOAT, reason=st.none() | st.text())
ROW = st.builds(
    Row,
    pass_rate=FLOAT,
    difficulty=FLOAT,
    scores=st.lists(st.builds(Score, value=st.floats(allow_nan=False)), max_size=2),
    verdicts=st.lists(VERDICT, max_size=2),
    sources=st.lists(SOURCE, max_size=2),
    seed=st.none() | INT,
    prompt_tokens=INT,
    completion_tokens=INT,
    calls=INT,
    created_at=TIME,
)


def test_any_rows_survive_the_dataset(dataset: Dataset) -> None:
    """Unicode, nulls and empty lists: Row -> Arrow -> Parquet -> Arrow -> Row."""
    batch = itertools.count()

    @given(st.lists(ROW, min_size=1, max_size=3))
    @settings(max_examples=25, deadline=None)
    def check(rows: list[Row]) -> None:
        table = rows_to_table(rows)
        assert [row_from_record(record) for record in table.to_pylist()] == rows
        version = commit(dataset, rows, next(batch))
        assert version is not None
        older = set(dataset.files(version - 1))
        fresh = [file for file in dataset.files(version) if file not in older]
        assert len(fresh) == len({row.status for row in rows})
        stored = list(dataset.rows(status=None))
        assert all(row in stored for row in rows)

    check()
