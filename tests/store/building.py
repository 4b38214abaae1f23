"""Rows and commits for tests of the store."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from synthmill import testing
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Row
from synthmill.schemas.verdict import Verdict
from synthmill.store.dataset import Dataset
from synthmill.store.metadata import CommitMetadata


def make_row(number: int, **changes: Any) -> Row:
    """A row whose content is its number; every third is rejected as too short."""
    rejected = number % 3 == 0
    verdict = Verdict(
        filter="length",
        status="fail" if rejected else "pass",
        reason="too short" if rejected else None,
        score=float(number),
    )
    values: dict[str, Any] = {
        "messages": [user(f"question {number}"), assistant(f"answer {number}")],
        "sources": [SourceRef(uri=f"https://site{number % 5}.example/{number}", license="CC0-1.0")],
        "verdicts": [verdict],
        "task_key": f"task-{number}",
        "status": "rejected" if rejected else "accepted",
    }
    return testing.make_row(**{**values, **changes})


def make_rows(first: int, end: int, **changes: Any) -> list[Row]:
    """Rows with the numbers `first` to `end - 1`."""
    return [make_row(number, **changes) for number in range(first, end)]


def commit(
    dataset: Dataset,
    rows: pa.Table | Sequence[Row],
    batch: int,
    run_id: str = "run-1",
    checkpoint: str = "{}",
) -> int | None:
    """Commit rows as one batch."""
    metadata = CommitMetadata(
        run_id=run_id, batch=batch, checkpoint=checkpoint, recipe_hash="1-abc"
    )
    return dataset.commit(rows, run_id=run_id, batch=batch, metadata=metadata)


def ids(rows: Sequence[Row], status: str = "accepted") -> list[str]:
    """Sorted ids of the rows of one status."""
    return sorted(row.id for row in rows if row.status == status)


def read_ids(dataset: Dataset, version: int | None = None, status: Any = "accepted") -> list[str]:
    """Sorted ids of what a version holds."""
    table = dataset.read(version, status, ["id"]).read_all()
    return sorted(table.column("id").to_pylist())
