"""The table's log, entry by entry: which files each version added and removed, and why.

delta-rs gives the state of one version at a time; catalog, history and resume need the changes of
many versions, so they read the log's JSON entries (an open, stable format) directly.
Synthmill's tables never expire their log, see `store.table`.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import sha256_text
from synthmill.store.metadata import PREFIX, CommitMetadata, Version, decode_commit

# What other writers and delta-rs itself call the operations.
OPERATIONS = {"CREATE TABLE": "create", "WRITE": "write", "OPTIMIZE": "compact"}


class LogFile(NamedTuple):
    """A data file as the log names it: path relative to the table, and what is in it."""

    path: str
    status: str
    rows: int
    bytes: int


class LogEntry(NamedTuple):
    """One version's entry: what it says, the files it added, the paths it removed."""

    version: Version
    added: list[LogFile]
    removed: list[str]


def entry_path(table: Path, version: int) -> Path:
    """The JSON file of a version's entry."""
    return table / "_delta_log" / f"{version:020}.json"


def columns_hash(schema: str) -> str:
    """A name for the columns that Delta's JSON text of a schema declares."""
    return sha256_text(schema)[:16]


def newest_version(table: Path, known: int = -1) -> int:
    """The newest version in the log of a table that has at least version `known`; -1 if none."""
    while entry_path(table, known + 1).exists():
        known += 1
    return known


def table_id(table: Path) -> str:
    """The id that the table was given when it was created."""
    actions = read_entry(table, 0)
    return next((str(a["metaData"]["id"]) for a in actions if "metaData" in a), "")


def read_log(
    table: Path, last: int, first: int = 0, known: Mapping[str, LogFile] | None = None
) -> Iterator[LogEntry]:
    """Entries of versions `first` to `last`, in order.

    `known` are the files that versions before `first` added, by path.

    Raises:
        InputError: an entry is missing or has another form than Delta writes.
    """
    files = dict(known or {})
    for number in range(first, last + 1):
        actions = read_entry(table, number)
        added = [_log_file(action["add"]) for action in actions if "add" in action]
        removed = [unquote(a["remove"]["path"]) for a in actions if "remove" in a]
        files.update((file.path, file) for file in added)
        change = Counter[str]()
        for file in added:
            change[file.status] += file.rows
        for path in removed:
            change[files[path].status] -= files[path].rows
        yield LogEntry(_version(number, actions, change), added, removed)


def find_commit(table: Path, last: int, run_id: str, batch: int) -> CommitMetadata | None:
    """The metadata of one batch of a run, looked for from version `last` backwards."""
    for number in range(last, -1, -1):
        commit = decode_commit(_info(read_entry(table, number)))
        if commit and (commit.run_id, commit.batch) == (run_id, batch):
            return commit
    return None


def read_entry(table: Path, version: int) -> list[dict[str, Any]]:
    """The actions of one version.

    Raises:
        InputError: the entry is missing or has another form than Delta writes.
    """
    path = entry_path(table, version)
    try:
        return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line]
    except FileNotFoundError as error:
        raise InputError(f"{path}: this entry of the table's log is missing") from error
    except ValueError as error:
        raise InputError(f"{path}: this entry of the table's log is not JSON: {error}") from error


def _info(actions: list[dict[str, Any]]) -> dict[str, Any]:
    return next((a["commitInfo"] for a in actions if "commitInfo" in a), {})


def _log_file(add: dict[str, Any]) -> LogFile:
    rows = json.loads(add.get("stats") or "{}").get("numRecords", 0)
    status = add["partitionValues"].get("status") or ""
    return LogFile(unquote(add["path"]), status, rows, add["size"])


def _version(number: int, actions: list[dict[str, Any]], change: Counter[str]) -> Version:
    info = _info(actions)
    metadata = (action["metaData"] for action in actions if "metaData" in action)
    operation = info.get("operation", "unknown")
    return Version(
        version=number,
        committed_at=datetime.fromtimestamp(info.get("timestamp", 0) / 1000, UTC),
        operation=info.get(f"{PREFIX}operation") or OPERATIONS.get(operation, operation.lower()),
        commit=decode_commit(info),
        pattern=info.get(f"{PREFIX}pattern"),
        columns=next((columns_hash(m["schemaString"]) for m in metadata), None),
        rows_added={status: n for status, n in sorted(change.items()) if n > 0},
        rows_removed={status: -n for status, n in sorted(change.items()) if n < 0},
    )
