"""The generator: draws sub-types for each video, makes them in a worker, yields candidates."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from synthmill.generators.base import Context, Generator, Task
from synthmill.generators.videossr import work
from synthmill.generators.videossr.contact_sheet import contact_sheet, describe
from synthmill.generators.videossr.jigsaw import LABELS
from synthmill.generators.videossr.records import Detail
from synthmill.generators.videossr.settings import TASKS, SubType, VideossrSettings, parse_sub_type
from synthmill.models.forms import Form
from synthmill.runtime.workers import Limits, WorkerError
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import Media, storable
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart, user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate, Kind, Row, Score
from synthmill.schemas.verdict import Verdict
from synthmill.sources.base import Source
from synthmill.sources.video.container import UnusableVideo
from synthmill.sources.videos import Video

GRACE = 2  # ours: how many time limits a worker gets before it is killed
EARLIER = 16  # ours: videos remembered to swap with
NOTHING = "{}"
# The paper trains without chains of thought.
SYSTEM = "Answer directly, without any explanation or reasoning."
MIME = {"jpeg": "image/jpeg", "png": "image/png"}


class VideoTask(Record):
    """The item of a task: a video, videos to swap with, and the sub-types (None: draw them)."""

    video: Video
    others: tuple[Video, ...] = ()
    wanted: tuple[str, ...] | None = None


class Videossr(Generator[VideossrSettings]):
    """Questions with checkable answers about each video: grounding, counting, jigsaw."""

    name: ClassVar[str] = "videossr"
    version: ClassVar[int] = 1
    item: ClassVar[type | None] = Video
    kinds = ("rlvr",)
    roles: ClassVar[Mapping[str, Sequence[Form]] | None] = {}
    default_filters: ClassVar[tuple[FilterSpec, ...]] = (
        FilterSpec(name="video_quality"),
        FilterSpec(name="visible_change"),
        FilterSpec(name="countable_shapes"),
        FilterSpec(name="distinct_clips"),
        FilterSpec(name="scene_cuts"),
        FilterSpec(name="answerable"),
        FilterSpec(name="near_duplicate_video"),
    )

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        for module in ("av", "PIL"):
            if find_spec(module) is None:
                raise InputError("videossr needs PyAV and Pillow: pip install 'synthmill[video]'")

    @property
    def rows_per_task(self) -> Mapping[Kind, int]:
        """As many as `per_video` says."""
        names = [name for name, weight in self.settings.weights.items() if weight]
        tasks = len({name.task for name in names})
        most = {"one": 1, "one_per_task": tasks, "all": len(names)}
        return {"rlvr": most[self.settings.per_video]}

    def tasks(self, source: Source) -> Iterator[Task]:
        """One task per video, with the videos before it to swap with."""
        earlier: deque[Video] = deque(maxlen=EARLIER)
        for item in source.items():
            if isinstance(item, InvalidItem):
                yield Task(key=item.key, item=item)
                continue
            yield Task(key=item.key, item=VideoTask(video=item, others=tuple(earlier)))
            earlier.append(item)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The questions about a video, and a rejected candidate for each that cannot be made."""
        video = task.item.video
        try:
            # Decoding stops itself at its limit; this is for a decoder that never returns.
            limits = Limits(seconds=GRACE * self.settings.work_seconds, output_mb=1024)
            job = self._job(task.item, context)
            result = await context.run_in_worker(work.make, job, limits=limits)
        except WorkerError as error:  # killed at its limit, or crashed by the video
            result = work.WorkResult(failures=[("video", UnusableVideo(str(error), video.path))])
        for name, failure in result.failures:
            yield _unusable(video, name, failure)
        stored: dict[str, Media] = {}
        for question in result.questions:
            new = [sha for sha in {f.sha256: None for f in question.files} if sha not in stored]
            media = await asyncio.gather(*(self._store(result.files[sha], context) for sha in new))
            stored.update(zip(new, media, strict=True))
            yield self._candidate(video, question, stored)

    def _job(self, task: VideoTask, context: Context) -> work.VideoJob:
        if task.wanted is None:
            names = sub_types(self.settings, context.rng("sub-types"))
        else:
            names = [parse_sub_type(name) for name in task.wanted]
        other = context.rng("other").choice(task.others) if task.others else None
        wanted = tuple((name, context.rng(str(name)).getrandbits(63)) for name in names)
        return work.VideoJob(task.video, other, wanted, self.settings)

    async def _store(self, data: bytes, context: Context) -> Media:
        form = self.settings.form
        if form.media == "clip":
            return await context.write_media(data, "video", "video/mp4")
        return await context.write_media(data, "image", MIME[form.image])

    def _candidate(
        self, video: Video, question: work.VideoQuestion, stored: dict[str, Media]
    ) -> Candidate:
        detail = question.detail
        task = question.sub_type.task
        args: dict[str, float] = {"strict": True} if task in self.settings.strict else {}
        if self.settings.shift:
            args |= {"shift": round(detail.chance, 4)}
        return Candidate(
            kind="rlvr",
            messages=messages(question.text, question.files, stored, detail.fps),
            answer=question.answer,
            reward=f"videossr.{task}@{Videossr.version}",
            reward_args=canonical_json(args),
            media=[media_of(file, stored[file.sha256], detail) for file in question.files],
            scores=[Score(name="chance", value=detail.chance)],
            sources=[video.origin],
            detail=detail.model_dump_json(),
        )

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The properties of the question, one per line."""
        if row.detail == NOTHING:  # a video without questions
            return None
        return describe(Detail.model_validate_json(row.detail), row.answer)

    def picture(self, row: Row, media: Path) -> bytes | None:
        """The row's contact sheet."""
        return contact_sheet(row, media) if row.media else None


def sub_types(settings: VideossrSettings, rng: Random) -> list[SubType]:
    """The sub-types to make from a video, drawn from the mix; `per_video` sets how many."""
    weights = settings.weights
    if settings.per_video == "all":
        return [name for name, weight in weights.items() if weight]
    if settings.per_video == "one":
        return rng.choices(list(weights), list(weights.values()))
    drawn = []
    for task in TASKS:
        of_task = {name: weight for name, weight in weights.items() if name.task == task}
        if any(of_task.values()):
            drawn += rng.choices(list(of_task), list(of_task.values()))
    return drawn


def _unusable(video: Video, name: str, error: UnusableVideo) -> Candidate:
    """A candidate without media that says why a video or a sub-type of it was not made."""
    detail = storable(error.detail)  # it may name the file
    verdict = Verdict(filter="videossr.decode", status="fail", reason=error.reason, detail=detail)
    return Candidate(
        kind="rlvr",
        messages=[user(f"{name} of {video.sha256}")],
        verdicts=[verdict],
        sources=[video.origin],
    )


def messages(
    text: str, files: tuple[work.MediaFile, ...], stored: Mapping[str, Media], fps: float
) -> list[Message]:
    """System and user message; several clips have the numbers that the answer uses.

    `stored` are the files by hash, `fps` the frame rate on the video's own time axis.
    """
    clips: dict[int, list[Media]] = {}
    for file in files:
        clips.setdefault(file.clip, []).append(stored[file.sha256])
    parts: list[TextPart | ImagePart | VideoPart] = []
    for clip, media in clips.items():
        if len(clips) > 1:
            parts.append(TextPart(text=f"Clip {LABELS[clip]}: "))
        paths = tuple(file.path for file in media)
        parts.append(VideoPart(paths=paths, mime=media[0].mime, fps=fps))
    parts.append(TextPart(text=text))
    return [
        Message(role="system", content=SYSTEM, train=False),
        Message(role="user", content=tuple(parts), train=False),
    ]


def media_of(file: work.MediaFile, stored: Media, detail: Detail) -> Media:
    """The row's reference to a stored file, with its place on the time axis."""
    where = {
        "clip": file.clip,
        "frame": file.place,
        "second": file.second,
        "frames": file.frames,
        "fps": detail.fps,
        "width": detail.width,
        "height": detail.height,
    }
    return stored.model_copy(update={"detail": canonical_json(where)})
