"""The Delta table under a dataset: how it is created and written.

delta-rs starts threads that do not survive a fork: never use a table in a forked child process
(`multiprocessing` with `spawn` is fine).
"""

from typing import Any

import pyarrow as pa
from deltalake import (
    CommitProperties,
    DeltaTable,
    Transaction,
    WriterProperties,
    write_deltalake,
)

from schemas.arrow import ROW_SCHEMA
from store.metadata import encode

DENIED_PROPERTY = "synthmill.denied"
PROPERTIES = {
    # Old versions stay readable: neither the log nor removed files expire by themselves.
    "delta.logRetentionDuration": "interval 36500 days",
    "delta.deletedFileRetentionDuration": "interval 36500 days",
    "delta.enableExpiredLogCleanup": "false",
    # Smallest and largest values of long texts would swell the log.
    "delta.dataSkippingStatsColumns": "id,kind,split,generator,run_id,created_at",
}
WRITER = WriterProperties(compression="ZSTD", compression_level=3)


def create_table(location: str, name: str) -> DeltaTable:
    """A new table at `location`; if another process has just made it, that one."""
    return DeltaTable.create(
        location,
        ROW_SCHEMA,
        mode="ignore",
        name=name,
        partition_by=["status"],
        configuration=PROPERTIES,
        commit_properties=CommitProperties(custom_metadata=encode("create", {})),
    )


def properties(
    operation: str, values: dict[str, Any], transaction: Transaction | None = None
) -> CommitProperties:
    """Commit properties with our metadata; conflicts that only need another try are retried."""
    return CommitProperties(
        custom_metadata=encode(operation, values),
        max_commit_retries=50,
        app_transactions=[transaction] if transaction else None,
    )


def append(table: DeltaTable, rows: pa.Table, commit: CommitProperties) -> None:
    """Append rows; columns that `ROW_SCHEMA` has gained since the table was made are added."""
    write_deltalake(
        table,
        rows,
        mode="append",
        schema_mode="merge",
        writer_properties=WRITER,
        commit_properties=commit,
    )
