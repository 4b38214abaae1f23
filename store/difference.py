"""What changed between two versions of a dataset."""

from collections.abc import Iterable

import pyarrow as pa

from synthmill.schemas.base import Record
from synthmill.store.dataset import Dataset
from synthmill.store.reading import live_files, run_query
from synthmill.store.sql import scan_files

REASON = """CASE WHEN status = 'rejected' THEN list_filter(
    verdicts, lambda v: v.status IN ('fail', 'error'))[1].reason END"""
COLUMNS = f"id, status, kind, generator, {REASON} AS reason, run_id, task_key"
CHANGES = pa.schema(
    [(name, pa.string()) for name in ("change", "id", "status", "kind", "generator", "reason")]
)
COUNTS = pa.schema([*(field for field in CHANGES if field.name != "id"), ("rows", pa.int64())])


class ChangeCount(Record):
    """How many rows of one sort were added or removed; `reason` is why rows were rejected."""

    change: str
    status: str
    kind: str
    generator: str
    reason: str | None
    rows: int


class Difference:
    """Rows that version `new` has and `old` has not (`added`), and the other way (`removed`).

    Only files that one of the versions lacks are read, so that neighbouring versions are compared
    at the cost of their change.
    """

    def __init__(self, dataset: Dataset, old: int, new: int) -> None:
        """Raises InputError when there is no such version, or its files are gone."""
        self.old, self.new = old, new
        before = live_files(dataset.at(old), dataset.location)
        after = live_files(dataset.at(new), dataset.location)
        gone = _rows(path for path in before if path not in after)
        fresh = _rows(path for path in after if path not in before)
        # EXCEPT ALL counts copies: two of a row before and three after are one added.
        self._changes = (
            f"SELECT 'added' AS change, * FROM ({fresh} EXCEPT ALL {gone}) UNION ALL "
            f"SELECT 'removed' AS change, * FROM ({gone} EXCEPT ALL {fresh})"
        )

    def rows(self) -> pa.RecordBatchReader:
        """Stream the changed rows in the columns of `CHANGES`, ordered by change, status, id."""
        names = ", ".join(CHANGES.names)
        return run_query(
            f"SELECT {names} FROM ({self._changes}) ORDER BY change, status, id", CHANGES
        )

    def counts(self) -> list[ChangeCount]:
        """Changed rows by status, kind, generator and reason, the most frequent first."""
        names = ", ".join(COUNTS.names[:-1])
        table = run_query(
            f"SELECT {names}, count(*) AS rows FROM ({self._changes}) "
            f"GROUP BY ALL ORDER BY rows DESC, {names}",
            COUNTS,
        ).read_all()
        return [ChangeCount(**record) for record in table.to_pylist()]


def _rows(files: Iterable[str]) -> str:
    paths = list(files)
    if not paths:
        empty = ", ".join(f"NULL::VARCHAR AS {name}" for name in (*CHANGES.names[1:], "run_id"))
        return f"(SELECT {empty}, NULL::VARCHAR AS task_key WHERE false)"
    return f"(SELECT {COLUMNS} FROM {scan_files(paths)})"
