"""Videos of a folder, a glob or a manifest, each probed before it is yielded."""

import csv
import glob
import json
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from synthmill.runtime.workers import Limits, WorkerError, WorkerPool
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.base import Source
from synthmill.sources.video.container import MAX_PIXELS, UnusableVideo
from synthmill.sources.video.probe import Probed, VideoInfo, probe

SUFFIXES = (".mp4", ".webm", ".mkv", ".mov", ".m4v", ".avi")
MANIFESTS = (".txt", ".csv", ".jsonl")
KEY_LENGTH = 16  # hex digits of the content hash
MEGABYTE = 2**20


class Video(Record):
    """A readable video. `key` is the beginning of `sha256`, the hash of the file's bytes."""

    key: str
    path: str
    sha256: str
    info: VideoInfo
    origin: SourceRef


class VideosSettings(Settings):
    """Which videos are read, and limits of reading. All limits are ours."""

    path: str = Field(
        description="a folder (searched to any depth), one video, a glob, or a manifest: .txt "
        "(one path a line), .csv or .jsonl with a `path` and optionally `title` and `license`"
    )
    license: str | None = Field(default=None, description="license of videos that state none")
    part: Literal["all", "train", "held_out"] = Field(
        default="all",
        description="the videos to use: all, or one side of a split by the hash of their content, "
        "so that a benchmark and a training set made from one folder share no video",
    )
    held_out: float = Field(default=0.1, gt=0, lt=1, description="share of held-out videos")
    duplicates: Literal["reject", "keep"] = Field(
        default="reject", description="what to do with a file whose bytes were seen before"
    )
    max_mb: int = Field(default=4096, gt=0, description="largest file, in megabytes")
    max_seconds: float = Field(default=3600, gt=0, description="longest video")
    min_seconds: float = Field(default=1.0, ge=0, description="shortest video")
    max_pixels: int = Field(default=MAX_PIXELS, gt=0, description="largest frame")
    probe_seconds: float = Field(default=30, gt=0, description="time limit for looking at a file")
    probe_mb: int = Field(default=2048, gt=0, description="memory limit for looking at a file")


class Entry(Record):
    """A line of a manifest, or a file found."""

    path: str
    title: str | None = None
    license: str | None = None


class VideosSource(Source):
    """Videos of a folder, glob or manifest, in order of path."""

    name: ClassVar[str] = "videos"
    item: ClassVar[type] = Video
    Settings = VideosSettings
    settings: VideosSettings

    def __init__(self, settings: VideosSettings) -> None:
        super().__init__(settings)
        # By path, so that a second iteration does not read the files again.
        self._looked: dict[str, Probed | UnusableVideo] = {}

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Folders, videos and manifests."""
        return path.is_dir() or path.suffix.lower() in (*SUFFIXES, *MANIFESTS)

    def items(self) -> Iterator[Video | InvalidItem]:
        """The videos, probed a few ahead in a worker process that is killed when it hangs.

        Raises:
            InputError: the path leads nowhere, or a manifest is malformed.
        """
        seen: dict[str, str] = {}
        for entry, found in self._probed(find_entries(self.settings)):
            item = self._item(entry, found, seen)
            if item is not None:
                yield item

    def check(self) -> str:
        """See `Source.check`."""
        count = len(find_entries(self.settings))
        first = next(iter(self.items()), None)
        if isinstance(first, InvalidItem):
            return f"videos: {count} files; the first is unusable: {first.reason} ({first.detail})"
        return f"videos: {count} files, the first is readable"

    def _probed(self, entries: Sequence[Entry]) -> Iterator[tuple[Entry, Probed | UnusableVideo]]:
        """The entries in order, each file read at the first time only."""
        known = list(takewhile(lambda entry: entry.path in self._looked, entries))
        for entry in known:
            yield entry, self._looked[entry.path]
        limits = Limits(seconds=self.settings.probe_seconds, memory_mb=self.settings.probe_mb)
        with WorkerPool(1) as pool:
            read = partial(look, settings=self.settings)
            for entry, found in pool.map(read, entries[len(known) :], limits=limits):
                self._looked[entry.path] = _unusable(found)
                yield entry, self._looked[entry.path]

    def _item(
        self, entry: Entry, found: Probed | UnusableVideo, seen: dict[str, str]
    ) -> Video | InvalidItem | None:
        if isinstance(found, UnusableVideo):
            return _bad(entry, found.reason, found.detail)
        if not self._wanted(found.sha256):
            return None
        first = seen.setdefault(found.sha256, entry.path)
        key = found.sha256[:KEY_LENGTH]
        if first != entry.path:
            if self.settings.duplicates == "reject":
                return _bad(entry, "duplicate file", f"same bytes as {Path(first).name}")
            key = f"{key}-{keyed_seed(entry.path):016x}"
        license = entry.license or self.settings.license
        origin = _origin(entry, license=license, sha256=found.sha256)
        return Video(key=key, path=entry.path, sha256=found.sha256, info=found.info, origin=origin)

    def _wanted(self, sha256: str) -> bool:
        """Whether a video is on the wanted side of the split, which depends on its bytes alone."""
        if self.settings.part == "all":
            return True
        held_out = keyed_seed("held out", sha256) / 2**63 < self.settings.held_out
        return held_out == (self.settings.part == "held_out")


def look(entry: Entry, settings: VideosSettings) -> Probed:
    """Probe one file within the settings' bounds; runs in a worker process.

    Raises:
        UnusableVideo: it is missing, too big, too short, too long, or `probe` cannot use it.
    """
    path = Path(entry.path)
    if not path.is_file():
        raise UnusableVideo("missing file", "there is no such file")
    size = path.stat().st_size
    if size > settings.max_mb * MEGABYTE:
        raise UnusableVideo("file too big", f"{size / MEGABYTE:.0f} MB, limit {settings.max_mb} MB")
    found = probe(path, settings.max_pixels)
    if found.info.seconds < settings.min_seconds:
        raise UnusableVideo("too short", f"{found.info.seconds:.2f} s, {found.info.frames} frames")
    if found.info.seconds > settings.max_seconds:
        raise UnusableVideo("too long", f"{found.info.seconds:.0f} s")
    return found


def _unusable(found: Probed | Exception) -> Probed | UnusableVideo:
    """The result of `look`, or why there is none."""
    if isinstance(found, Probed | UnusableVideo):
        return found
    if isinstance(found, WorkerError):
        return UnusableVideo(str(found), "while it was read")
    return UnusableVideo("not readable", f"{type(found).__name__}: {found}"[:200])


def find_entries(settings: VideosSettings) -> list[Entry]:
    """The files that the settings name, sorted by path (a manifest keeps its order).

    Raises:
        InputError: the path leads nowhere, or a manifest is malformed.
    """
    path = Path(settings.path).expanduser()
    if path.is_dir():
        found = [p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file()]
    elif path.is_file() and path.suffix.lower() in MANIFESTS:
        return _manifest(path)
    elif path.is_file():
        found = [path]
    else:
        # pathlib's glob takes no absolute patterns.
        names = glob.glob(str(path), recursive=True)  # noqa: PTH207
        found = [Path(name) for name in names if Path(name).is_file()]
    if not found:
        raise InputError(
            f"no videos at {settings.path!r}: give a folder with {', '.join(SUFFIXES)} files, a "
            f"glob, or a manifest ({', '.join(MANIFESTS)})"
        )
    return [Entry(path=str(p)) for p in sorted(found)]


def _manifest(path: Path) -> list[Entry]:
    """Entries of a manifest; relative paths are relative to it."""
    entries: dict[str, Entry] = {}
    for number, fields in _records(path):
        if not isinstance(fields, dict) or not isinstance(fields.get("path"), str):
            raise InputError(f"{path}:{number}: no `path`, a string, is given")
        texts = {key: fields[key] for key in ("title", "license") if fields.get(key)}
        if not all(isinstance(text, str) for text in texts.values()):
            raise InputError(f"{path}:{number}: `title` and `license` are strings")
        found = str(path.parent / fields["path"])
        if found in entries:  # two tasks would have the same key
            raise InputError(f"{path}:{number}: {fields['path']!r} is named for the second time")
        entries[found] = Entry(path=found, **texts)
    if not entries:
        raise InputError(f"{path}: the manifest names no videos")
    return list(entries.values())


def _records(path: Path) -> Iterator[tuple[int, Any]]:
    """Line numbers and records of a manifest."""
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 from byte {error.start + 1} on") from error
    if path.suffix.lower() == ".csv":
        try:
            yield from enumerate(csv.DictReader(lines), start=2)
        except csv.Error as error:
            raise InputError(f"{path}: broken CSV: {error}") from error
        return
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if path.suffix.lower() == ".txt":
            yield number, {"path": line.strip()}
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: not JSON: {error}") from error


def _bad(entry: Entry, reason: str, detail: str) -> InvalidItem:
    # The file may be unreadable, so the key is made from its name.
    return InvalidItem(
        key=f"bad-{keyed_seed(entry.path):016x}",
        reason=reason,
        detail=detail,
        excerpt=Path(entry.path).name,
        origin=_origin(entry),
    )


def _origin(entry: Entry, license: str | None = None, sha256: str | None = None) -> SourceRef:
    return SourceRef(
        uri=entry.path,
        sha256=sha256,
        title=entry.title or Path(entry.path).stem,
        license=license or entry.license,
    )
