"""The DuckDB catalog: a projection of table logs and run reports, built beside and swapped in.

Two processes cannot share a DuckDB file for writing, so `rebuild` writes a new file and renames it
over the old one. Readers open it read-only; those that have the old file open keep reading it. A
rebuild reads only the log entries that are newer than the last one.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import Schema

from synthmill.runtime.files import atomic_file
from synthmill.schemas.arrow import ROW_SCHEMA
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json
from synthmill.store.catalog_schema import FORMAT, TABLES, CatalogFile, DatasetViews, overall_views
from synthmill.store.errors import translate_errors
from synthmill.store.home import Home
from synthmill.store.log import LogFile, columns_hash, newest_version, read_log, table_id
from synthmill.store.metadata import Version
from synthmill.store.reports import report_records
from synthmill.store.sql import connect, literal, quoted
from synthmill.store.tags import read_tags

Record = dict[str, Any]
TABLE_NAMES = """SELECT table_name FROM duckdb_tables()
WHERE database_name = current_database() ORDER BY table_name"""
# The oldest storage format that holds the catalog: every DuckDB since 1.0.0 (2024) opens it.
STORAGE_VERSION = "v1.0.0"


def rebuild(home: Home) -> list[str]:
    """Bring the catalog up to date with all datasets and runs.

    Safe beside other rebuilds (they take turns) and readers (they keep the file they opened).

    Returns:
        One line for each thing that could not be read (a damaged log or report).

    Raises:
        InputError: full disk, no permission; the catalog is then unchanged.
    """
    home.prepare()
    with translate_errors(f"catalog {home.catalog}"), _exclusive(home):
        _clear(home)
        fresh = home.path / ".catalog-new.duckdb"
        try:
            with connect() as connection:
                # DuckDB 2 opens files of 1.0 and writes them in place; the reverse does not hold.
                connection.execute(
                    f"ATTACH {literal(str(fresh))} AS catalog (STORAGE_VERSION '{STORAGE_VERSION}')"
                )
                connection.execute("USE catalog")
                problems = _build(connection, home)
                counts = _counts(connection)
                # Closing the file would do it as well, and say nothing where the disk is full.
                connection.execute("CHECKPOINT catalog")
            _read_back(fresh, counts)
            fresh.replace(home.catalog)
            # The log of a writer that has the old file open must not be replayed on the new one.
            home.catalog.with_suffix(".duckdb.wal").unlink(missing_ok=True)
        finally:
            _clear(home)
    return problems


def refresh(home: Home) -> Home:
    """The home, its catalog brought up to date if it may be written (else it is used as it is).

    Needed before reading: a run that was killed has committed rows that the catalog does not list.
    After a change it is enough: the change is done, also where the catalog cannot show it yet.

    Raises:
        InputError: there is no such folder.
    """
    home.require()
    with suppress(InputError):
        rebuild(home)
    return home


def _clear(home: Home) -> None:
    """Remove the temporary files of a rebuild that failed or was killed."""
    for left_over in home.path.glob(".catalog-new*"):
        left_over.unlink()


@contextmanager
def _exclusive(home: Home) -> Iterator[None]:
    """Rebuilds of a home take turns, so that the one that read the most is swapped in last."""
    # A link could lead to any file.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(home.path / ".catalog.lock", flags, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _counts(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """The tables of the current database and their numbers of rows."""
    tables = [row[0] for row in connection.execute(TABLE_NAMES).fetchall()]
    counted = [f"SELECT {literal(name)}, count(*) FROM {quoted(name)}" for name in tables]
    return list(connection.execute(" UNION ALL ".join(counted) + " ORDER BY ALL").fetchall())


def _read_back(file: Path, counts: list[tuple[Any, ...]]) -> None:
    """Raises OSError where a new catalog is not whole on the disk."""
    with file.open("rb") as written:
        os.fsync(written.fileno())
    with connect() as connection:
        connection.execute(f"ATTACH {literal(str(file))} AS written (READ_ONLY)")
        connection.execute("USE written")
        if _counts(connection) != counts:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))


def _build(connection: duckdb.DuckDBPyConnection, home: Home) -> list[str]:
    has_old = _attach_old(connection, home)
    connection.begin()
    connection.execute(TABLES)
    problems, readable = [], []
    for name in home.dataset_names():
        try:
            _add_dataset(connection, home, name, has_old)
            readable.append(name)
        except InputError as error:
            problems.append(str(error))
            _insert(connection, "datasets", [{"name": name, "problem": str(error)}])
    connection.execute(overall_views(readable))
    records, faults = report_records(home)
    for table, rows in records.items():
        _insert(connection, table, rows)
    connection.commit()
    if has_old:
        connection.execute("DETACH old")
    return problems + faults


def _attach_old(connection: duckdb.DuckDBPyConnection, home: Home) -> bool:
    """Attach the existing catalog, if it is readable and of this format."""
    if not home.catalog.is_file():
        return False
    try:
        connection.execute(f"ATTACH {literal(str(home.catalog))} AS old (READ_ONLY)")
        if connection.sql("SELECT format FROM old.catalog_format").fetchall() == [(FORMAT,)]:
            return True
    except duckdb.Error:  # damaged, or another program's: everything is read from the logs instead
        pass
    with suppress(duckdb.Error):
        connection.execute("DETACH old")
    return False


def _add_dataset(
    connection: duckdb.DuckDBPyConnection, home: Home, name: str, has_old: bool
) -> None:
    """Add one dataset: what the old catalog has of it, then the newer entries of its log."""
    folder = home.dataset(name)
    table = folder / "rows"
    identity = table_id(table)
    seen = _carry_over(connection, name, identity) if has_old else -1
    newest = newest_version(table, seen)
    files = {
        path: LogFile(path, status, rows, size)
        for path, status, rows, size in connection.execute(
            "SELECT path, status, rows, bytes FROM files WHERE dataset = ?", [name]
        ).fetchall()
    }
    versions: list[Record] = []
    added: list[Record] = []
    removed: list[Record] = []
    for entry in read_log(table, newest, seen + 1, files):
        number = entry.version.version
        versions.append(_version_record(name, entry.version))
        added.extend({"dataset": name, "added_in": number, **f._asdict()} for f in entry.added)
        removed.extend({"path": path, "removed_in": number} for path in entry.removed)
    _insert(connection, "versions", versions)
    _insert(connection, "files", added)
    _mark_removed(connection, name, removed)
    tags = read_tags(folder)
    _insert(
        connection, "tags", [{"dataset": name, "tag": t, "version": v} for t, v in tags.items()]
    )
    connection.execute(SUMMARY, [name, str(table), identity])
    _add_views(connection, folder, name, newest)


SUMMARY = """
INSERT INTO datasets BY NAME
SELECT $1 AS name, v.*, f.*, $2 AS location, $3 AS table_id
FROM (SELECT max(version) AS version, min(committed_at) AS created_at,
             max(committed_at) AS updated_at FROM versions WHERE dataset = $1) v,
     (SELECT coalesce(sum(rows) FILTER (status = 'accepted'), 0) AS accepted,
             coalesce(sum(rows) FILTER (status = 'rejected'), 0) AS rejected,
             count(*) AS files, coalesce(sum(bytes), 0) AS bytes
      FROM files WHERE dataset = $1 AND removed_in IS NULL) f
"""


def _carry_over(connection: duckdb.DuckDBPyConnection, name: str, identity: str) -> int:
    """Take a dataset's versions and files from the old catalog; the newest version it knew."""
    known = connection.execute(
        "SELECT version FROM old.datasets WHERE name = ? AND table_id = ?", [name, identity]
    ).fetchone()
    if known is None or known[0] is None:
        return -1
    for table in ("versions", "files"):
        connection.execute(f"INSERT INTO {table} FROM old.{table} WHERE dataset = ?", [name])
    return int(known[0])


def _version_record(dataset: str, version: Version) -> Record:
    record = version.model_dump(exclude={"commit", "rows_added", "rows_removed"})
    if version.commit:
        commit = version.commit.model_dump(exclude={"checkpoint", "recipe", "state"})
        commit["models"] = canonical_json(commit["models"])
        commit["counts"] = canonical_json(commit["counts"])
        record.update(commit)
    for status in ("accepted", "rejected"):
        record[f"{status}_added"] = version.rows_added.get(status, 0)
        record[f"{status}_removed"] = version.rows_removed.get(status, 0)
    return {"dataset": dataset, **record}


def _mark_removed(connection: duckdb.DuckDBPyConnection, name: str, removed: list[Record]) -> None:
    if not removed:
        return
    with _registered(connection, pa.Table.from_pylist(removed)) as view:
        connection.execute(
            f"UPDATE files SET removed_in = {view}.removed_in FROM {view} "
            f"WHERE files.dataset = ? AND files.path = {view}.path",
            [name],
        )


def _add_views(connection: duckdb.DuckDBPyConnection, folder: Path, name: str, newest: int) -> None:
    files = connection.execute(
        "SELECT ? || path, status, added_in, removed_in FROM files WHERE dataset = ? "
        "ORDER BY added_in, path",
        [f"{folder}/rows/", name],
    ).fetchall()
    shapes = connection.execute(
        "SELECT DISTINCT columns FROM versions WHERE dataset = ? AND columns IS NOT NULL", [name]
    ).fetchall()
    views = DatasetViews(
        name,
        newest,
        [CatalogFile(*file) for file in files],
        none=str(_empty_file(folder)),
        by_name=shapes != [(columns_hash(Schema.from_arrow(ROW_SCHEMA).to_json()),)],
    )
    connection.execute(views.at_macro() + views.views())


def _empty_file(folder: Path) -> Path:
    """A Parquet file with the row's columns and no rows: what a version without files reads."""
    path = folder / "empty" / "status=accepted" / "none.parquet"
    stored = ROW_SCHEMA.remove(ROW_SCHEMA.get_field_index("status"))
    if not path.is_file() or not pq.read_schema(path).equals(stored):
        with atomic_file(path) as file:
            pq.write_table(stored.empty_table(), file)
    return path


def _insert(connection: duckdb.DuckDBPyConnection, table: str, records: list[Record]) -> None:
    """Append records to a table; a column they lack becomes null."""
    if not records:
        return
    schema = connection.sql(f"FROM {table} LIMIT 0").to_arrow_table().schema
    with _registered(connection, pa.Table.from_pylist(records, schema=schema)) as view:
        connection.execute(f"INSERT INTO {table} FROM {view}")


@contextmanager
def _registered(connection: duckdb.DuckDBPyConnection, table: pa.Table) -> Iterator[str]:
    connection.register("incoming", table)
    try:
        yield "incoming"
    finally:
        connection.unregister("incoming")
