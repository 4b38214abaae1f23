"""The response cache: every answer that was ever bought, one row a sample.

An answer is handed on only after its commit, so a process that dies (SIGKILL included) never
pays for a stored answer again. Several processes may share the file. A power cut may lose the
last seconds' answers (the log is synced at checkpoints only), never the file.
"""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from synthmill.models.completion import Completion
from synthmill.models.request import Request
from synthmill.schemas.errors import InputError

FORMAT = 1
LOCK_SECONDS = 60.0  # how long another process may hold the file

Entry = tuple[bytes, Completion]


def sample_keys(shape: str, request: Request) -> list[bytes]:
    """The cache keys of a request's samples, in order.

    Fields at their defaults are left out, so that a field that a later version adds does not
    orphan what was paid for.
    """
    alone = request
    if request.n > 1 or request.first:
        alone = request.model_copy(update={"first": 0, "n": 1})
    payload = alone.model_dump_json(exclude_defaults=True)
    start = hashlib.sha256(f"{FORMAT}\0{shape}\0{payload}\0".encode())
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
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
            _prepare(self._file)
        except (OSError, sqlite3.Error) as error:
            raise self._broken("opened", error) from error
        version = self._file.execute("PRAGMA user_version").fetchone()[0]
        if version != FORMAT:
            raise InputError(
                f"response cache {path} has format {version}, this Synthmill reads {FORMAT}: "
                "move it away, and answers are bought again"
            )
        self._pending: list[tuple[Sequence[Entry], asyncio.Future[list[Completion]]]] = []

    def get(self, key: bytes) -> Completion | None:
        """The stored completion, or None; an entry that cannot be read is none.

        Raises:
            InputError: the file itself is damaged.
        """
        try:
            return self._read(key)
        except sqlite3.Error as error:
            raise self._broken("read", error) from error

    async def put(self, entries: Sequence[Entry]) -> list[Completion]:
        """Store completions and return them once they are committed.

        Where another process was first, its completion stands and is the one returned: a question
        has one answer.

        Raises:
            InputError: the file cannot be written (full disk, no permission).
        """
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[list[Completion]] = loop.create_future()
        # What arrives in one turn of the event loop shares one commit.
        if not self._pending:
            loop.call_soon(self._flush)
        self._pending.append((entries, stored))
        return await stored

    def close(self) -> None:
        """Commit what is pending and close the file."""
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        try:
            self._file.execute("BEGIN IMMEDIATE")
            answers = self._write([entries for entries, _ in pending])
            self._file.execute("COMMIT")
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            for _, stored in pending:
                if not stored.done():
                    stored.set_exception(self._broken("written", error))
            return
        for (_, stored), completions in zip(pending, answers, strict=True):
            if not stored.done():
                stored.set_result(completions)

    def _read(self, key: bytes) -> Completion | None:
        # As bytes: text that is not UTF-8 any more would raise before it could be judged.
        query = "SELECT CAST(completion AS BLOB) FROM samples WHERE key = ?"
        found = self._file.execute(query, (key,)).fetchone()
        if found is None:
            return None
        try:
            return Completion.model_validate_json(found[0])
        except ValidationError:
            return None

    def _write(self, batch: Sequence[Sequence[Entry]]) -> Sequence[list[Completion]]:
        """Insert all entries; where one is there already, the standing completion is returned."""
        rows = [(key, _text(completion)) for entries in batch for key, completion in entries]
        insert = "INSERT OR IGNORE INTO samples VALUES (?, ?)"
        if self._file.executemany(insert, rows).rowcount == len(rows):
            return [[completion for _, completion in entries] for entries in batch]
        return [[self._settle(*entry) for entry in entries] for entries in batch]

    def _settle(self, key: bytes, completion: Completion) -> Completion:
        standing = self._read(key)
        if standing is None:
            self._file.execute("REPLACE INTO samples VALUES (?, ?)", (key, _text(completion)))
        return standing or completion

    def _broken(self, what: str, error: Exception) -> InputError:
        return InputError(f"response cache {self.path} cannot be {what}: {error}")


def _text(completion: Completion) -> str:
    return completion.model_dump_json(exclude_defaults=True)


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
    file.execute("BEGIN IMMEDIATE")
    if file.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        file.execute("CREATE TABLE samples (key BLOB PRIMARY KEY, completion TEXT NOT NULL)")
        file.execute(f"PRAGMA user_version = {FORMAT}")
    file.execute("COMMIT")
