"""Vectors kept on disk, so that no text is encoded, or paid for, twice."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from synthmill.generators.retrieval.encoders import Encoder, Side, Vectors
from synthmill.schemas.identity import sha256_text

AT_ONCE = 256  # texts encoded between two commits: what a crash can cost


class CachedEncoder:
    """An encoder that remembers; a file may serve several processes and several encoders."""

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self._encoder = encoder
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(self._connect()) as db:
            db.execute("create table if not exists vectors (key text primary key, vector blob)")

    @property
    def label(self) -> str:
        """See `Encoder`."""
        return self._encoder.label

    async def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """See `Encoder`."""
        keys = [sha256_text(f"{self.label}\n{side}\n{text}") for text in texts]
        with closing(self._connect()) as db:
            known = _known(db, keys)
            missing = {k: t for k, t in zip(keys, texts, strict=True) if k not in known}
            pending = list(missing.items())
            for at in range(0, len(pending), AT_ONCE):
                part = pending[at : at + AT_ONCE]
                made = await self._encoder.encode([text for _, text in part], side)
                for (key, _), vector in zip(part, made, strict=True):
                    known[key] = vector.astype(np.float32)
                with db:
                    db.executemany(
                        "insert or ignore into vectors values (?, ?)",
                        [(key, known[key].tobytes()) for key, _ in part],
                    )
        return np.stack([known[key] for key in keys]) if keys else np.zeros((0, 0), np.float32)

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=60)
        db.execute("pragma journal_mode=wal")
        return db


def _known(db: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Vectors]:
    known: dict[str, Vectors] = {}
    for at in range(0, len(keys), 500):  # below SQLite's limit of variables
        part = keys[at : at + 500]
        marks = ",".join("?" * len(part))
        rows = db.execute(f"select key, vector from vectors where key in ({marks})", part)
        known |= {key: np.frombuffer(blob, np.float32) for key, blob in rows}
    return known
