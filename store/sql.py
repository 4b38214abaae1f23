"""DuckDB connections and the text of table functions over Parquet files."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import duckdb

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
