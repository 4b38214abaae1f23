"""Streaming rows out of a table: a version's, those added since another, or a few by id."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from synthmill.schemas.arrow import ROW_SCHEMA
from synthmill.schemas.errors import InputError
from synthmill.store.errors import translate_errors
from synthmill.store.sql import connect, literal, quoted, restricted, scan_files

BATCH_ROWS = 1024


def live_files(table: DeltaTable, folder: str, status: str | None = None) -> dict[str, str]:
    """Path and status of each Parquet file of a loaded version, in the order of their writing.

    `folder` is that of the table.
    """
    actions = pa.table(table.get_add_actions(flatten=True))
    actions = actions.select(["modification_time", "path", "partition.status"])
    ordered = sorted(zip(*(column.to_pylist() for column in actions.columns), strict=True))
    # The address of the table is percent-encoded, the paths of its actions are not.
    return {f"{folder}/{path}": of for _, path, of in ordered if status in (None, of)}


def selection(columns: Sequence[str] | None) -> pa.Schema:
    """The schema of a reader of these columns (all by default)."""
    return pa.schema([ROW_SCHEMA.field(name) for name in columns or ROW_SCHEMA.names])


def read_files(files: dict[str, str], schema: pa.Schema) -> pa.RecordBatchReader:
    """Stream files one after the other; a column that a file does not have yet reads as null."""

    def batches() -> Iterator[pa.RecordBatch]:
        for path, status in files.items():
            with translate_errors(path), pq.ParquetFile(path, pre_buffer=False) as file:
                stored = [name for name in file.schema_arrow.names if name in schema.names]
                for batch in file.iter_batches(BATCH_ROWS, columns=stored):
                    yield _conformed(batch, status, schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _conformed(batch: pa.RecordBatch, status: str, schema: pa.Schema) -> pa.RecordBatch:
    def column(field: pa.Field) -> pa.Array:
        if field.name == "status":  # the partition's value is in the log, not in the file
            return pa.repeat(pa.scalar(status), len(batch))
        if field.name not in batch.schema.names:
            return pa.nulls(len(batch), field.type)
        return batch.column(field.name).cast(field.type)

    return pa.RecordBatch.from_arrays([column(field) for field in schema], schema=schema)


def added_since(
    old: DeltaTable, new: DeltaTable, folder: str, columns: Sequence[str] | None
) -> pa.RecordBatchReader:
    """Stream the accepted rows of `new` that `old` does not have."""
    before, after = live_files(old, folder, "accepted"), live_files(new, folder, "accepted")
    fresh = {path: status for path, status in after.items() if path not in before}
    gone = [path for path in before if path not in after]
    schema = selection(columns)
    if not gone:
        return read_files(fresh, schema)
    if not fresh:
        return read_files({}, schema)
    # A compaction or deletion wrote old rows into new files: leave out those that existed before.
    names = ", ".join(f"fresh.{quoted(name)}" for name in schema.names)
    return run_query(
        f"SELECT {names} FROM {scan_files(fresh)} AS fresh "
        f"ANTI JOIN {scan_files(gone)} AS gone USING (id, run_id, task_key)",
        schema,
    )


def run_query(
    query: str,
    schema: pa.Schema,
    batch_rows: int = BATCH_ROWS,
    *,
    only: Path | None = None,
) -> pa.RecordBatchReader:
    """Stream a query's result, in the types of `schema`, in batches of so many rows at most.

    A query that holds text of a user is given the folder `only`: it then has to be one statement
    that reads, no other files are open to it, and its time and memory are limited.
    """

    def batches() -> Iterator[pa.RecordBatch]:
        with translate_errors("dataset"), connect() as connection, ExitStack() as limits:
            if only is not None:
                limits.enter_context(restricted(connection, query, only))
            for batch in connection.sql(query).to_arrow_reader(batch_rows):
                yield batch.cast(schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def find_rows(files: Iterable[str], prefix: str) -> pa.Table:
    """The rows whose id begins with `prefix`, accepted ones first; there may be several of one id.

    Raises:
        InputError: the prefix is malformed, or matches no row, or rows of several ids.
    """
    if not prefix or not prefix.isalnum():
        raise InputError(f"{prefix!r} is not the beginning of a row id")
    paths = list(files)
    if not paths:
        raise InputError(f"no row has an id that begins with {prefix!r}")
    # Only the ids are read of all rows; whole rows of the few files where they are.
    fields = [ROW_SCHEMA.field("id"), pa.field("filename", pa.string())]
    places = run_query(
        f"SELECT DISTINCT id, filename FROM {scan_files(paths)} "
        f"WHERE starts_with(id, {literal(prefix)}) ORDER BY id",
        pa.schema(fields),
    ).read_all()
    ids = places.column("id").unique().to_pylist()
    if not ids:
        raise InputError(f"no row has an id that begins with {prefix!r}")
    if len(ids) > 1:
        shown = ", ".join(ids[:5]) + (" ..." if len(ids) > 5 else "")
        raise InputError(f"several rows have an id that begins with {prefix!r}: {shown}")
    names = ", ".join(map(quoted, ROW_SCHEMA.names))
    files_with_it = scan_files(places.column("filename").unique().to_pylist())
    condition = f"id = {literal(ids[0])}"  # unlike a prefix, Parquet's readers can skip by it
    query = f"SELECT {names} FROM {files_with_it} WHERE {condition} ORDER BY status, created_at"
    return run_query(query, ROW_SCHEMA).read_all()
