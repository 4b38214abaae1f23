"""SQL on the catalog: one reading statement, offline, no file but those of the datasets."""

from collections.abc import Iterator

import duckdb
import pyarrow as pa

from synthmill.schemas.errors import InputError
from synthmill.store.home import Home
from synthmill.store.sql import complaint, connect, literal

BATCH_ROWS = 1024


def query(home: Home, sql: str) -> pa.RecordBatchReader:
    """Stream the result of one SELECT (or DESCRIBE, SHOW, SUMMARIZE, FROM ...) on the catalog.

    The catalog is attached read-only to a database of this query's own, so that a rebuild
    meanwhile does no harm and the next query sees it. Nothing can be written or fetched, and of
    the disk only the datasets can be read; who wants more opens the catalog with `duckdb`.

    Raises:
        InputError: no catalog yet, several statements, one that does not only read, or an error
            in it.
    """
    if not home.catalog.is_file():
        raise InputError(
            f"there is no catalog in {home.path}: `synthmill run` or `synthmill catalog rebuild` "
            "makes it"
        )
    _check_kind(sql)
    connection = connect()
    try:
        _open(connection, home)
        _check_reads_only(connection, sql)
        reader = connection.sql(sql).to_arrow_reader(BATCH_ROWS)
    except duckdb.Error as error:
        connection.close()
        raise InputError(f"SQL: {complaint(error)}") from error
    return pa.RecordBatchReader.from_batches(reader.schema, _batches(connection, reader))


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
    """Let DuckDB judge it: below the top level it binds nothing that writes.

    A SELECT can carry a COPY in its WITH clause, which would write into the datasets.
    """
    connection.execute(f"EXPLAIN FROM query({literal(sql)})").fetchall()


def _open(connection: duckdb.DuckDBPyConnection, home: Home) -> None:
    connection.execute(f"ATTACH {literal(str(home.catalog))} AS catalog (READ_ONLY)")
    connection.execute("USE catalog")
    connection.execute(f"SET allowed_directories = [{literal(str(home.datasets))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _batches(
    connection: duckdb.DuckDBPyConnection, reader: pa.RecordBatchReader
) -> Iterator[pa.RecordBatch]:
    with connection:
        try:
            yield from reader
        except (duckdb.Error, pa.ArrowException, OSError) as error:  # Arrow makes either of it
            raise InputError(f"SQL: {complaint(error)}") from error
