"""The response cache: all answers that were bought, one row for each sample or vector.

An answer is handed on only after its commit, so a process that dies (SIGKILL included) never
pays for a stored answer again. Several processes may share the file. A power cut may lose the
last seconds' answers (the log is synced at checkpoints only), never the file.
"""

import asyncio
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from synthmill.models.completion import COMPLETION, Completion, Embedding
from synthmill.models.request import DEFAULT_SAMPLING, Request, Sampling
from synthmill.schemas.errors import InputError
from synthmill.schemas.messages import Message

FORMAT = 1
LOCK_SECONDS = 60.0  # how long another process may hold the file

COMMIT_SECONDS = 0.002  # ours: little beside the time that a model takes for an answer
# Ours, four times SQLite's default: each checkpoint is synced to disk while the event loop waits.
CHECKPOINT_PAGES = 4000

Settle = Callable[[bytes, Completion | InputError], None]


class _Keyed(TypedDict, total=False):
    """What of a request is in its key."""

    model: str
    messages: tuple[Message, ...]
    prefix: str
    sampling: Sampling
    seed: int
    json_schema: str
    tools: str


_KEYED = TypeAdapter(_Keyed).serializer
_SHA256 = hashlib.sha256()  # copied: half the time that a new one takes


def sample_keys(shape: str, request: Request) -> list[bytes]:
    """The cache keys of a request's samples, in order.

    Fields at their defaults are left out, so that a field that a later version adds does not
    orphan what was paid for.
    """
    keyed: _Keyed = {"model": request.model, "messages": request.messages}
    if request.prefix:
        keyed["prefix"] = request.prefix
    if request.sampling is not DEFAULT_SAMPLING and request.sampling != DEFAULT_SAMPLING:
        keyed["sampling"] = request.sampling
    if request.seed:
        keyed["seed"] = request.seed
    if request.json_schema is not None:
        keyed["json_schema"] = request.json_schema
    if request.tools is not None:
        keyed["tools"] = request.tools
    payload = _KEYED.to_json(keyed, exclude_defaults=True)
    start = _SHA256.copy()
    start.update(b"%d\0%s\0%s\0" % (FORMAT, shape.encode(), payload))
    keys = []
    for index in range(request.first, request.first + request.n):
        sample = start.copy()
        sample.update(b"%d" % index)
        keys.append(sample.digest())
    return keys


class ResponseCache:
    """Completions on disk by key; used from one event loop, shared with other processes."""

    def __init__(self, path: Path) -> None:
        """Open the file at `path`, or make it.

        Raises:
            InputError: it cannot be opened, is no cache, or is of another format.
        """
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Only where it is new: closing a file that SQLite has open would drop its locks.
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._file = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
            _prepare(self._file)
        except (OSError, sqlite3.Error) as error:
            raise self._broken("opened", error) from error
        self._reader = self._file.cursor()
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise InputError(
                f"response cache {path} has format {version}, this Synthmill reads {FORMAT}: "
                "move it away, and answers are bought again"
            )
        self._pending: list[tuple[bytes, Completion, Settle]] = []

    def get(self, key: bytes) -> Completion | None:
        """The stored completion; None where there is none or it cannot be read.

        Raises:
            InputError: the file itself is damaged.
        """
        try:
            return self._read(key)
        except sqlite3.Error as error:
            raise self._broken("read", error) from error

    def put(self, key: bytes, completion: Completion, settle: Settle) -> None:
        """Store a completion; `settle` is called with both once it is committed.

        Where another process was first, its completion is kept and given to `settle`, so that a
        request has the same answer everywhere. Where the file cannot be written (full disk, no
        permission), `settle` gets the error.
        """
        # What arrives within a moment shares one commit, which costs as much as three entries.
        if not self._pending:
            asyncio.get_running_loop().call_later(COMMIT_SECONDS, self._flush)
        self._pending.append((key, completion, settle))

    def embeddings(self, keys: Iterable[bytes]) -> dict[bytes, Embedding]:
        """The stored embeddings among these keys.

        Raises:
            InputError: the file itself is damaged.
        """
        query = "SELECT vector, tokens FROM embeddings WHERE key = ?"
        found = {}
        try:
            for key in keys:
                row = self._file.execute(query, (key,)).fetchone()
                if row and len(row[0]) % 4 == 0:  # else it is damaged
                    found[key] = Embedding(np.frombuffer(row[0], np.float32), row[1])
        except sqlite3.Error as error:
            raise self._broken("read", error) from error
        return found

    def put_embeddings(self, made: Mapping[bytes, Embedding]) -> None:
        """Store embeddings; those that are there already stay.

        Raises:
            InputError: the file cannot be written.
        """
        insert = "INSERT OR IGNORE INTO embeddings VALUES (?, ?, ?)"
        rows = [(key, e.vector.astype(np.float32).tobytes(), e.tokens) for key, e in made.items()]
        try:
            self._file.execute("BEGIN IMMEDIATE")
            self._file.executemany(insert, rows)
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            raise self._broken("written", error) from error

    def close(self) -> None:
        """Commit what is pending and close the file."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        stored: Sequence[Completion | InputError]
        try:
            self._file.execute("BEGIN IMMEDIATE")
            stored = self._write([(key, completion) for key, completion, _ in pending])
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            stored = [self._broken("written", error)] * len(pending)
        for (key, _, settle), outcome in zip(pending, stored, strict=True):
            settle(key, outcome)

    def _read(self, key: bytes) -> Completion | None:
        # As bytes: text that is not UTF-8 any more would raise before it could be judged.
        query = "SELECT CAST(completion AS BLOB) FROM samples WHERE key = ?"
        found = self._reader.execute(query, (key,)).fetchone()
        if found is None:
            return None
        try:
            return COMPLETION.validator.validate_json(found[0])
        except ValidationError:
            return None

    def _write(self, entries: list[tuple[bytes, Completion]]) -> list[Completion]:
        """Insert all entries; where one is there already, the stored completion is returned."""
        rows = [(key, _text(completion)) for key, completion in entries]
        insert = "INSERT OR IGNORE INTO samples VALUES (?, ?)"
        if self._file.executemany(insert, rows).rowcount == len(rows):
            return [completion for _, completion in entries]
        return [self._first(*entry) for entry in entries]

    def _first(self, key: bytes, completion: Completion) -> Completion:
        stored = self._read(key)
        if stored is None:
            self._file.execute("REPLACE INTO samples VALUES (?, ?)", (key, _text(completion)))
        return stored or completion

    def _broken(self, what: str, error: Exception) -> InputError:
        return InputError(f"response cache {self.path} cannot be {what}: {error}")


def _text(completion: Completion) -> str:
    return COMPLETION.serializer.to_json(completion, exclude_defaults=True).decode()


def _prepare(file: sqlite3.Connection) -> None:
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            # Changing the journal mode does not wait for a lock by itself.
            file.execute("PRAGMA journal_mode = WAL")
            break
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    file.execute("PRAGMA synchronous = NORMAL")
    file.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    file.execute("BEGIN IMMEDIATE")
    if file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        file.execute("CREATE TABLE samples (key BLOB PRIMARY KEY, completion TEXT NOT NULL)")
        file.execute(
            "CREATE TABLE embeddings (key BLOB PRIMARY KEY, vector BLOB NOT NULL, tokens INT)"
        )
        file.execute(f"PRAGMA user_version = {FORMAT}")
    file.execute("COMMIT")
