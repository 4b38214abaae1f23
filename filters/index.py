"""The memory of a diversity filter on disk: which versions of a dataset it covers, and its rows.

An index is a projection of its dataset. Deleting its folder is always safe: the next run fills a
new one from the dataset; do that also after rows were deleted from the dataset.
"""

import fcntl
import json
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from synthmill.filters.base import DiversityFilter
from synthmill.runtime.files import atomic_file, atomic_write
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.row import Candidate

FORMAT = 1
HEADER = "index.json"
BLOCK = 65_536  # rows written at once: memory stays flat while a large index is written


def index_folder(root: Path, of: DiversityFilter) -> Path:
    """The folder of the index of this filter with these parameters, below a dataset's index folder.

    Other parameters are another folder, so that changing a recipe's settings builds a new index
    beside the old one.
    """
    key = canonical_json({"version": of.version, "parameters": of.parameters})
    return root / f"{of.name}-{sha256_text(key)[:12]}"


class DatasetIndex:
    """One diversity filter's memory of one dataset, in a folder of its own.

    The folder holds `index.json` (filter, parameters, format, covered version, segments) and the
    segments it names: Arrow files with the rows that each save added, merged as they grow. Files
    are written whole under another name and then renamed, `index.json` last: whenever the process
    dies, the folder holds the old state or the new one. A lock keeps processes apart. Two runs
    may write to one dataset: the index that covers more versions stays.
    """

    def __init__(self, folder: Path, of: DiversityFilter) -> None:
        self.folder = folder
        self.filter = of
        self.covered_version: int | None = None
        self._covered_rows = 0
        # Ids of the rows added since the last save, and the position up to which they are noted.
        self._noted: set[str] = set()
        self._noted_rows = 0
        self._segments: list[dict[str, Any]] = []
        self._seen: str | None = None  # the header as this process last read or wrote it

    @classmethod
    def open(cls, folder: Path, of: DiversityFilter) -> "DatasetIndex":
        """The index in `folder` (made if it is missing), its rows loaded into the filter.

        Raises:
            InputError: the index is of another filter, other parameters or an older format, or
                cannot be read; the message says how to rebuild it. Or the disk refuses.
            ValueError: the filter remembers rows already.
        """
        if len(of):
            raise ValueError(f"filter {of.name!r} has rows already; an index fills an empty one")
        index = cls(folder, of)
        with index._lock(fcntl.LOCK_SH):
            index._load()
        return index

    def add(self, row_id: str, candidate: Candidate) -> None:
        """Remember an accepted row; it is on disk after `save`."""
        self.filter.add(row_id, candidate)

    def catch_up(self, rows_since: Iterable[tuple[str, Candidate]], version: int) -> int:
        """Add the accepted rows that the dataset gained after `covered_version`, up to `version`.

        Rows that this process has added itself since are left out. Returns how many were new.
        """
        before = len(self.filter)
        added = self.filter.to_arrow(self._noted_rows, before).column("row_id")
        self._noted.update(added.to_pylist())
        for row_id, candidate in rows_since:
            if row_id not in self._noted:
                self._noted.add(row_id)
                self.filter.add(row_id, candidate)
        self.covered_version, self._noted_rows = version, len(self.filter)
        return len(self.filter) - before

    def save(self, version: int | None = None, *, rows: int | None = None) -> None:
        """Write what was added since the last save.

        `version` is the dataset version up to which every accepted row has been added; without
        it, the one of the last `catch_up`. `rows` is how many of the remembered rows belong to
        it (the others are not committed yet); without it, all.

        Raises:
            InputError: the folder cannot be written (no permission, disk full).
        """
        version = self.covered_version if version is None else version
        count = len(self.filter) if rows is None else rows
        with self._lock(fcntl.LOCK_EX):
            header = self._header()
            if header != self._seen:  # another run saved in the meantime
                self._segments, self._covered_rows = [], 0
                if header and (self._parsed(header)["covered_version"] or 0) >= (version or 0):
                    return  # it covers as much; its rows were committed, like ours
            if count > self._covered_rows:
                self._write_segment(self._covered_rows, count)
            self.covered_version, self._covered_rows = version, count
            self._noted, self._noted_rows = set(), count
            self._write_header()
            self._remove_unnamed()

    def _load(self) -> None:
        self._seen = self._header()
        if self._seen is None:
            return
        header = self._parsed(self._seen)
        self._check(header)
        try:
            for segment in header["segments"]:
                self.filter.from_arrow(self._read(segment["file"]))
            self._segments = header["segments"]
            self.covered_version = header["covered_version"]
        except (KeyError, TypeError, AttributeError, pa.ArrowException) as error:
            raise _unusable(self.folder, f"is damaged ({error!r:.80})") from error
        self._covered_rows = self._noted_rows = len(self.filter)

    def _check(self, header: dict[str, Any]) -> None:
        for key, own in self._identity().items():
            found = header.get(key)
            if key == "parameters" and isinstance(found, dict):
                changed = [k for k in {**own, **found} if own.get(k) != found.get(k)]
                differs = ", ".join(f"{k} {found.get(k)!r}, now {own.get(k)!r}" for k in changed)
            else:
                differs = f"{key} {found!r}, now {own!r}" if found != own else ""
            if differs:
                raise _unusable(self.folder, f"was made with {differs}")

    def _identity(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "filter": self.filter.name,
            "version": self.filter.version,
            "parameters": json.loads(json.dumps(self.filter.parameters)),
        }

    def _write_segment(self, start: int, stop: int) -> None:
        """Add a segment; older ones that are not larger go into it, so that few remain."""
        rows = stop - start
        merged: list[dict[str, Any]] = []
        while self._segments and self._segments[-1]["rows"] <= rows:
            merged.insert(0, self._segments.pop())
            rows += merged[0]["rows"]
        name = f"rows-{uuid.uuid4().hex[:12]}.arrow"
        schema = self.filter.to_arrow(start, start).schema
        with atomic_file(self.folder / name) as file, pa.ipc.new_file(file, schema) as writer:
            for segment in merged:
                writer.write_table(self._read(segment["file"]))
            for begin in range(start, stop, BLOCK):
                writer.write_table(self.filter.to_arrow(begin, min(begin + BLOCK, stop)))
        self._segments.append({"file": name, "rows": rows})

    def _write_header(self) -> None:
        header = {
            **self._identity(),
            "covered_version": self.covered_version,
            "segments": self._segments,
        }
        self._seen = json.dumps(header, indent=1)
        atomic_write(self.folder / HEADER, self._seen)

    def _remove_unnamed(self) -> None:
        named = {segment["file"] for segment in self._segments}
        for path in self.folder.glob("*rows-*"):
            if path.name not in named:
                path.unlink()

    def _read(self, name: str) -> pa.Table:
        # Mapped, not read: what a filter leaves in the table costs no memory until it looks.
        try:
            return pa.ipc.open_file(pa.memory_map(str(self.folder / name))).read_all()
        except (OSError, pa.ArrowException) as error:
            raise _unusable(self.folder, f"cannot be read ({name}: {error})") from error

    def _header(self) -> str | None:
        try:
            return (self.folder / HEADER).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def _parsed(self, header: str) -> dict[str, Any]:
        try:
            return dict(json.loads(header))
        except (ValueError, TypeError, RecursionError) as error:
            raise _unusable(self.folder, f"cannot be read ({HEADER}: {error})") from error

    @contextmanager
    def _lock(self, how: int) -> Iterator[None]:
        """Keep other processes out; what the disk refuses becomes one clear line."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "lock").open("a") as file:
                fcntl.flock(file, how)
                yield
        except OSError as error:
            raise InputError(f"index {self.folder} cannot be used: {error.strerror}") from error


def _unusable(folder: Path, why: str) -> InputError:
    return InputError(
        f"index {folder} {why}; delete that folder, and the next run rebuilds it from the dataset"
    )
