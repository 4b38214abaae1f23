import time
from typing import Any

import pytest
from deltalake import DeltaTable

from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.row import Row
from synthmill.store import table
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source, unblock_source
from synthmill.store.home import Home
from synthmill.store.maintenance import compact
from tests.store.building import commit, ids, make_row, make_rows, read_ids
from tests.store.committing import PROCESSES, run_batches

BAD = "https://site2.example/*"


def _clean(rows: list[Row]) -> list[Row]:
    return [r for r in rows if not r.sources[0].uri.startswith("https://site2.example/")]


def test_a_source_s_rows_go_and_stay_in_old_versions(dataset: Dataset) -> None:
    rows = make_rows(0, 30)
    commit(dataset, rows[:15], 0)
    commit(dataset, rows[15:], 1)
    done = delete_source(dataset, BAD)
    assert done.rows == {"accepted": 4, "rejected": 2}
    assert read_ids(dataset) == ids(_clean(rows))
    assert read_ids(dataset, status="rejected") == ids(_clean(rows), "rejected")
    assert read_ids(dataset, 2) == ids(rows)
    denied, deleted = dataset.history()[-2:]
    assert (denied.operation, denied.pattern, denied.rows_removed) == ("block", BAD, {})
    assert (deleted.operation, deleted.pattern) == ("delete", BAD)
    assert deleted.rows_removed == {"accepted": 4, "rejected": 2}
    assert done.version == deleted.version == 4
    left = {row.id: row for row in dataset.rows(status=None)}
    assert left == {row.id: row for row in _clean(rows)}, "the other rows are as they were"


def test_denied_rows_are_dropped_and_counted_at_every_commit(dataset: Dataset) -> None:
    delete_source(dataset, BAD)
    rows = make_rows(0, 10)
    commit(dataset, rows, 0)
    commit(dataset, [row for row in rows if row not in _clean(rows)], 1)
    assert read_ids(dataset) == ids(_clean(rows))
    assert [v.commit.blocked for v in dataset.history() if v.commit] == [2, 2]


def test_a_writer_that_began_before_the_deletion_obeys_it(
    home: Home, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The append was prepared on a version with an empty blocklist, so it must be repeated."""
    late = Dataset.open(home, "my-set")
    append, appended = table.append, []

    def deleted_meanwhile(*arguments: Any) -> None:
        if not dataset.blocked_sources():
            delete_source(dataset, BAD)
        appended.append(arguments[1].num_rows)
        append(*arguments)

    monkeypatch.setattr(table, "append", deleted_meanwhile)
    commit(late, make_rows(0, 10), 0)
    assert read_ids(dataset) == ids(_clean(make_rows(0, 10)))
    assert appended == [10, 8], "the first attempt conflicted"


def test_a_deletion_beside_a_running_writer_is_complete(home: Home, dataset: Dataset) -> None:
    process = PROCESSES.Process(target=run_batches, args=(home.path, "run", 0, 40))
    process.start()
    while dataset.version < 10:
        assert process.is_alive() or dataset.version >= 10, "the writer died"
        time.sleep(0.01)
    delete_source(dataset, BAD)
    process.join(60)
    assert process.exitcode == 0
    rows = make_rows(0, 240, run_id="run")
    assert read_ids(dataset) == ids(_clean(rows))


def test_a_deletion_cut_short_is_finished_by_the_next(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(dataset, make_rows(0, 10), 0)

    def killed(*arguments: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(DeltaTable, "merge", killed)
        with pytest.raises(KeyboardInterrupt):
            delete_source(dataset, BAD)
    assert delete_source(dataset, BAD).rows == {"accepted": 2}
    assert dataset.blocked_sources() == [BAD]
    assert read_ids(dataset) == ids(_clean(make_rows(0, 10)))


def test_sources_are_named_by_hash_or_exact_address_too(dataset: Dataset) -> None:
    digest = "ab" * 32
    dotted = make_row(1, sources=[SourceRef(uri="https://a.b/c?x=[1]", sha256=digest)])
    near = make_row(2, sources=[SourceRef(uri="https://aXb/c?x=[1]"), SourceRef(uri="other")])
    none = make_row(4, sources=[])
    commit(dataset, [dotted, near, none], 0)
    assert delete_source(dataset, "https://a.b/c?x=[1]").rows == {"accepted": 1}
    assert delete_source(dataset, digest).rows == {}
    assert delete_source(dataset, "other").rows == {"accepted": 1}
    assert read_ids(dataset) == [none.id]


def test_rows_since_a_version_leaves_out_rewritten_and_deleted_rows(dataset: Dataset) -> None:
    for batch in range(3):
        commit(dataset, make_rows(batch * 10, batch * 10 + 10), batch)
    delete_source(dataset, BAD)  # rewrites the files of versions 1 to 3 as versions 4 and 5
    commit(dataset, make_rows(30, 40), 3)
    compact(dataset)
    added = dataset.rows_since(2, ["id"]).read_all()["id"].to_pylist()
    assert sorted(added) == ids(_clean(make_rows(20, 40)))
    added = dataset.rows_since(5, ["id"]).read_all()["id"].to_pylist()
    assert sorted(added) == ids(_clean(make_rows(30, 40)))
    assert dataset.rows_since(6).read_all().num_rows == 0


def test_a_source_can_be_allowed_again(dataset: Dataset) -> None:
    delete_source(dataset, BAD)
    unblock_source(dataset, BAD)
    commit(dataset, make_rows(0, 10), 0)
    assert read_ids(dataset) == ids(make_rows(0, 10))
    assert dataset.history()[2].operation == "unblock"
    with pytest.raises(InputError, match="is not on the blocklist"):
        unblock_source(dataset, BAD)


@pytest.mark.parametrize("pattern", ["", "*", " ** "])
def test_a_pattern_that_fits_everything_is_refused(dataset: Dataset, pattern: str) -> None:
    with pytest.raises(InputError, match="would match every source"):
        delete_source(dataset, pattern)
    assert dataset.version == 0
