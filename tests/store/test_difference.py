from synthmill.schemas.messages import user
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.difference import Difference
from synthmill.store.maintenance import compact
from tests.store.building import commit, ids, make_row, make_rows


def _changes(dataset: Dataset, old: int, new: int) -> list[tuple[str, str, str]]:
    records = Difference(dataset, old, new).rows().read_all().to_pylist()
    return [(r["change"], r["status"], r["id"]) for r in records]


def test_added_and_removed_rows_with_their_counts(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 6), 0)
    commit(dataset, make_rows(6, 12, kind="rlvr"), 1)
    rows = make_rows(6, 12, kind="rlvr")
    expected = [("added", "accepted", i) for i in ids(rows)]
    expected += [("added", "rejected", i) for i in ids(rows, "rejected")]
    assert _changes(dataset, 1, 2) == expected
    counts = [c.model_dump() for c in Difference(dataset, 1, 2).counts()]
    same = {"change": "added", "kind": "rlvr", "generator": "test@1"}
    assert counts == [
        {**same, "status": "accepted", "reason": None, "rows": 4},
        {**same, "status": "rejected", "reason": "too short", "rows": 2},
    ]
    assert _changes(dataset, 2, 1) == [("removed", status, i) for _, status, i in expected]
    assert _changes(dataset, 2, 2) == []
    assert Difference(dataset, 2, 2).counts() == []


def test_a_compaction_changes_nothing_and_a_deletion_only_its_rows(dataset: Dataset) -> None:
    for batch in range(3):
        commit(dataset, make_rows(batch * 5, batch * 5 + 5), batch)
    compact(dataset)
    assert _changes(dataset, 3, 4) == []
    delete_source(dataset, "https://site1.example/*")
    gone = [row for row in make_rows(0, 15) if row.sources[0].uri.startswith("https://site1.")]
    expected = [("removed", "accepted", i) for i in ids(gone)]
    expected += [("removed", "rejected", i) for i in ids(gone, "rejected")]
    assert _changes(dataset, 4, 6) == expected


def test_a_row_that_stands_once_more_is_one_added_row(dataset: Dataset) -> None:
    twin = make_row(1)
    commit(dataset, [twin, twin], 0)
    commit(dataset, [twin], 1)
    compact(dataset)
    assert _changes(dataset, 1, 3) == [("added", "accepted", twin.id)]


def test_versions_without_rows_can_be_compared(dataset: Dataset) -> None:
    commit(dataset, [make_row(1, messages=[user("ünïcode")])], 0)
    assert len(_changes(dataset, 0, 1)) == 1
    assert _changes(dataset, 0, 0) == []
