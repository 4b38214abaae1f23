"""DuckDB connections and the text of table functions over Parquet files."""

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from synthmill.schemas.errors import InputError

# Limits of a query that a user wrote; all are ours.
QUERY_SECONDS = 600.0
QUERY_MEMORY = "4GB"
QUERY_DISK = "32GB"

# No query may fetch anything from a network.
OFFLINE = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}


def connect(path: str = ":memory:") -> duckdb.DuckDBPyConnection:
    """An offline connection in UTC that spills to the system's temporary folder."""
    spill = Path(tempfile.gettempdir()) / f"synthmill-duckdb-{os.getuid()}"
    connection = duckdb.connect(path, config={**OFFLINE, "temp_directory": str(spill)})
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def check_kind(sql: str) -> None:
    """Raises InputError where a text is not one SELECT (or DESCRIBE, SHOW, FROM ...)."""
    try:
        sql.encode()
        statements = duckdb.extract_statements(sql)
    except UnicodeEncodeError as error:
        raise InputError("SQL: the text is not UTF-8") from error
    except duckdb.Error as error:
        raise InputError(f"SQL: {complaint(error)}") from error
    if len(statements) != 1:
        raise InputError(f"SQL: one statement at a time, these are {len(statements)}")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = statements[0].type.name
        raise InputError(f"SQL: {kind} is refused; only statements that read, such as SELECT")


@contextmanager
def restricted(
    connection: duckdb.DuckDBPyConnection, sql: str, folder: Path, seconds: float = QUERY_SECONDS
) -> Iterator[None]:
    """The one gate for SQL of users: within the block it only reads, and only below `folder`.

    Network, other files, attached databases and settings are closed; memory, disk and time are
    limited.

    Raises:
        InputError: it is not one statement that reads, or exceeds its time.
        duckdb.Error: it is wrong, or exceeds its memory.
    """
    check_kind(sql)
    connection.execute(f"SET memory_limit = '{QUERY_MEMORY}'")
    connection.execute(f"SET max_temp_directory_size = '{QUERY_DISK}'")
    connection.execute(f"SET allowed_directories = [{literal(str(folder))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    late = threading.Event()

    def stop() -> None:
        late.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        # Below the top level DuckDB binds nothing that writes: a SELECT can carry a COPY in its
        # WITH clause.
        connection.execute(f"EXPLAIN FROM query({literal(sql)})").fetchall()
        yield
    except Exception as error:
        if late.is_set():
            raise InputError(f"SQL: stopped after {seconds:g} seconds") from error
        raise
    finally:
        timer.cancel()


def complaint(error: Exception) -> str:
    """DuckDB's error message with its suggestion, without the excerpt of the query."""
    said = str(error).strip().partition("\n\n")[0].partition("\n\t")[0]
    return " ".join(said.split())


def quoted(name: str) -> str:
    """An identifier as SQL text."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A string as SQL text."""
    return "'" + text.replace("'", "''") + "'"


def scan(files: str, by_name: bool = True) -> str:
    """A table function over the Parquet files of a list expression.

    With `by_name`, files written before a column existed read it as null; DuckDB then opens every
    file before it begins.
    """
    return f"read_parquet({files}, hive_partitioning = true, union_by_name = {by_name})"


def scan_files(files: Iterable[str], by_name: bool = True) -> str:
    """A table function over these Parquet files (at least one)."""
    return scan("[" + ", ".join(literal(file) for file in files) + "]", by_name)
