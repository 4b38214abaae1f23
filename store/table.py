"""The Delta table under a dataset: how it is created and written.

delta-rs starts threads that do not survive a fork: never use a table in a forked child process
(`multiprocessing` with `spawn` is fine).
"""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError

from synthmill.schemas.arrow import ROW_SCHEMA
from synthmill.store.errors import hint_for
from synthmill.store.metadata import encode

T = TypeVar("T")
TRIES = 30
CHECKPOINT_INTERVAL = 100  # commits; delta-rs's default

BLOCKED_PROPERTY = "synthmill.blocked"
PROPERTIES = {
    # Old versions stay readable: neither the log nor removed files expire by themselves.
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    # Smallest and largest values of long texts would swell the log.
    "delta.dataSkippingStatsColumns": "id,kind,split,generator,run_id,created_at",
}
# Small row groups keep readers of large, compacted files in flat memory.
WRITER = WriterProperties(compression="ZSTD", compression_level=3, max_row_group_size=16_384)


def create_table(location: str, name: str) -> None:
    """Create a table at `location`, unless another process creates it first."""
    try:
        DeltaTable.create(
            location,
            ROW_SCHEMA,
            name=name,
            partition_by=["status"],
            configuration=PROPERTIES,
            # A retry would become version 1 of the table that the other process made.
            commit_properties=CommitProperties(
                custom_metadata=encode("create", {}), max_commit_retries=0
            ),
        )
    except DeltaError:
        if not DeltaTable.is_deltatable(location):
            raise


def properties(
    operation: str,
    values: dict[str, Any],
    transaction: Transaction | None = None,
    retries: int = 50,
) -> CommitProperties:
    """Commit properties with our metadata.

    Conflicts that only need another try are retried; with 0 retries every other version that comes
    first is a conflict.
    """
    return CommitProperties(
        custom_metadata=encode(operation, values),
        max_commit_retries=retries,
        app_transactions=[transaction] if transaction else None,
    )


def append(
    table: DeltaTable, rows: pa.Table | pa.RecordBatchReader, commit: CommitProperties
) -> None:
    """Append rows; columns that `ROW_SCHEMA` has gained since the table was made are added."""
    write_deltalake(
        table,
        rows,
        mode="append",
        schema_mode="merge",
        writer_properties=WRITER,
        commit_properties=commit,
    )


def overwrite(table: DeltaTable, rows: pa.RecordBatchReader, commit: CommitProperties) -> None:
    """Replace all rows; `commit` must not retry, so that nothing committed meanwhile is lost."""
    write_deltalake(
        table,
        rows,
        mode="overwrite",
        schema_mode="overwrite",
        writer_properties=WRITER,
        commit_properties=commit,
    )


def retry_on_conflict(step: Callable[[], T]) -> T:
    """Repeat `step`, which starts from the newest version, while other writers commit first.

    delta-rs itself retries appends that do not conflict; what remains are sources blocked, columns
    added or rows deleted meanwhile.
    """
    for attempt in range(TRIES - 1):
        try:
            return step()
        except CommitFailedError as error:
            if hint_for(error):
                raise
            time.sleep(random.uniform(0, 0.05 * (attempt + 1)))
    return step()
