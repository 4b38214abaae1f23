"""SQL on the catalog: one reading statement, offline, no file but those of the datasets."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import duckdb
import pyarrow as pa

from synthmill.schemas.errors import InputError
from synthmill.store.home import Home
from synthmill.store.sql import QUERY_SECONDS, check_kind, complaint, connect, literal, restricted

BATCH_ROWS = 1024


def open_catalog(home: Home) -> duckdb.DuckDBPyConnection:
    """An in-memory database with the catalog attached read-only as its default.

    The catalog file may be replaced meanwhile: this connection keeps reading the file it opened.

    Raises:
        InputError: there is no catalog yet.
    """
    if not home.catalog.is_file():
        raise InputError(
            f"there is no catalog in {home.path}: `synthmill run` or `synthmill catalog rebuild` "
            "makes it"
        )
    connection = connect()
    try:
        connection.execute(f"ATTACH {literal(str(home.catalog))} AS catalog (READ_ONLY)")
        connection.execute("USE catalog")
    except duckdb.Error as error:
        connection.close()
        raise InputError(f"catalog {home.catalog}: {complaint(error)}") from error
    return connection


def query(home: Home, sql: str, seconds: float = QUERY_SECONDS) -> pa.RecordBatchReader:
    """Stream the result of one SELECT (or DESCRIBE, SHOW, SUMMARIZE, FROM ...) on the catalog.

    Every query opens the catalog itself, so it sees the newest one. It cannot write, has no network
    access, and reads no files but the datasets; for anything else use `open_catalog`.

    Raises:
        InputError: no catalog yet, several statements, one that does not only read, or an error
            in it.
    """
    try:
        check_kind(sql)
        with ExitStack() as resources:
            connection = resources.enter_context(open_catalog(home))
            resources.enter_context(restricted(connection, sql, home.datasets, seconds))
            reader = connection.sql(sql).to_arrow_reader(BATCH_ROWS)
            kept = resources.pop_all()
    except (duckdb.Error, InputError) as error:
        said = error if isinstance(error, InputError) else InputError(f"SQL: {complaint(error)}")
        raise _with_hint(home, sql, said) from error
    return pa.RecordBatchReader.from_batches(reader.schema, _batches(kept, reader))


def query_records(home: Home, sql: str) -> list[dict[str, Any]]:
    """The whole result of `query` as one mapping per row; for small results."""
    return [record for batch in query(home, sql) for record in batch.to_pylist()]


def _with_hint(home: Home, sql: str, error: InputError) -> InputError:
    """The error, and the name of a dataset that stands in the query without its quotes."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", " ", sql)  # without texts and quoted names
    for name in home.dataset_names():
        found = re.search(rf"(?<![\w-]){re.escape(name)}(?:_rejected|_all|_at)?(?![\w-])", bare)
        if found and not re.fullmatch(r"[a-z_]\w*", name):
            return InputError(f'{error}; did you mean "{found.group()}" (in double quotes)?')
    return error


def _batches(resources: ExitStack, reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:  # Arrow turns errors of DuckDB into its own or into OSError
        with resources:
            yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise InputError(f"SQL: {complaint(error)}") from error
