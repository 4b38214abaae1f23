"""SQL on the catalog: one reading statement, offline, no file but those of the datasets."""

import re
from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from synthmill.schemas.errors import InputError
from synthmill.store.home import Home
from synthmill.store.sql import complaint, connect, literal

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


def query(home: Home, sql: str) -> pa.RecordBatchReader:
    """Stream the result of one SELECT (or DESCRIBE, SHOW, SUMMARIZE, FROM ...) on the catalog.

    Every query opens the catalog itself, so it sees the newest one. It cannot write, has no network
    access, and reads no files but the datasets; for anything else use `open_catalog`.

    Raises:
        InputError: no catalog yet, several statements, one that does not only read, or an error
            in it.
    """
    try:
        _check_kind(sql)
    except InputError as error:
        raise _with_hint(home, sql, error) from error
    connection = open_catalog(home)
    try:
        _restrict(connection, home)
        _check_reads_only(connection, sql)
        reader = connection.sql(sql).to_arrow_reader(BATCH_ROWS)
    except duckdb.Error as error:
        connection.close()
        raise _with_hint(home, sql, InputError(f"SQL: {complaint(error)}")) from error
    return pa.RecordBatchReader.from_batches(reader.schema, _batches(connection, reader))


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


def _check_kind(sql: str) -> None:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise InputError(f"SQL: {complaint(error)}") from error
    if len(statements) != 1:
        raise InputError(f"SQL: one statement at a time, these are {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = statements[0].type.name
        raise InputError(f"SQL: {kind} is refused; only statements that read, such as SELECT")


def _check_reads_only(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Have DuckDB check it: below the top level it binds nothing that writes.

    A SELECT can carry a COPY in its WITH clause, which would write into the datasets.
    """
    connection.execute(f"EXPLAIN FROM query({literal(sql)})").fetchall()


def _restrict(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    connection.execute(f"SET allowed_directories = [{literal(str(home.datasets))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _batches(
    connection: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader
) -> Iterator[pa.RecordBatch]:
    with connection:
        try:  # Arrow turns errors of DuckDB into its own or into OSError
            yield from reader
        except (
            duckdb.Error,
            pa.ArrowException,
            OSError,
        ) as error:
            raise InputError(f"SQL: {complaint(error)}") from error
