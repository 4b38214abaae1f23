"""The generator: picks sub-types for each video, lets a worker make them, yields candidates."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from synthmill.generators.base import Context, Generator, Task
from synthmill.generators.videossr import checks, work
from synthmill.generators.videossr.messages import media_of, messages
from synthmill.generators.videossr.mixes import TASKS, SubType, parse_sub_type
from synthmill.generators.videossr.records import Detail
from synthmill.generators.videossr.settings import VideossrSettings
from synthmill.generators.videossr.sheet import contact_sheet, describe
from synthmill.runtime.workers import Limits, WorkerError
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Row, Score
from synthmill.schemas.verdict import Verdict
from synthmill.sources.base import Source
from synthmill.sources.video.container import Unusable
from synthmill.sources.videos import Video

GRACE = 2  # ours: how many time limits a worker gets before it is killed
EARLIER = 16  # ours: videos remembered to swap with
NOTHING = "{}"
MIME = {"jpeg": "image/jpeg", "png": "image/png"}


class Clue(Record):
    """A task's item: the video, others to swap with, and the sub-types asked for (None: draw)."""

    video: Video
    others: tuple[Video, ...] = ()
    wanted: tuple[str, ...] | None = None


class Videossr(Generator[VideossrSettings]):
    """Questions with checkable answers about each video: grounding, counting, jigsaw."""

    name: ClassVar[str] = "videossr"
    version: ClassVar[int] = 1
    item: ClassVar[type] = Video

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        for module in ("av", "PIL"):
            if find_spec(module) is None:
                raise InputError("videossr needs PyAV and Pillow: pip install 'synthmill[video]'")

    def tasks(self, source: Source) -> Iterator[Task]:
        """One task a video, with the videos before it to swap with."""
        earlier: deque[Video] = deque(maxlen=EARLIER)
        for item in source.items():
            if isinstance(item, InvalidItem):
                yield Task(key=item.key, item=item)
                continue
            yield Task(key=item.key, item=Clue(video=item, others=tuple(earlier)))
            earlier.append(item)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The candidates of a video: its questions, or one that says why there are none."""
        clue: Clue = task.item
        job = self._job(clue, context)
        try:
            # Decoding stops itself at its limit; this is for a decoder that never returns.
            limits = Limits(seconds=GRACE * self.settings.work_seconds, output_mb=1024)
            made = await context.run_in_worker(work.make, job, limits=limits)
        except WorkerError as error:  # killed at its limit, or crashed by the video
            made = work.Made(verdicts=(checks.unusable(Unusable(str(error), clue.video.path)),))
        if not made.questions:
            yield _rejected(clue.video, "video", made.verdicts)
        stored: dict[str, Media] = {}
        for question in made.questions:
            new = [sha for sha in {f.sha256: None for f in question.files} if sha not in stored]
            media = await asyncio.gather(*(self._store(made.files[sha], context) for sha in new))
            stored.update(zip(new, media, strict=True))
            yield self._candidate(clue.video, question, stored)

    def _job(self, clue: Clue, context: Context) -> work.Job:
        if clue.wanted is None:
            names = sub_types(self.settings, context.rng("sub-types"))
        else:
            names = [parse_sub_type(name) for name in clue.wanted]
        other = context.rng("other").choice(clue.others) if clue.others else None
        wanted = tuple((name, context.rng(str(name)).getrandbits(63)) for name in names)
        return work.Job(clue.video, other, wanted, self.settings)

    async def _store(self, data: bytes, context: Context) -> Media:
        form = self.settings.form
        if form.media == "clip":
            return await context.write_media(data, "video", "video/mp4")
        return await context.write_media(data, "image", MIME[form.image])

    def _candidate(
        self, video: Video, question: work.Question, stored: dict[str, Media]
    ) -> Candidate:
        detail = question.detail
        if detail is None or not question.files:
            return _rejected(video, str(question.sub_type), question.verdicts, question)
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
            verdicts=list(question.verdicts),
            sources=[video.origin],
            detail=detail.model_dump_json(),
        )

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The question's particulars, one a line."""
        if row.detail == NOTHING:  # a video without questions
            return None
        return describe(Detail.model_validate_json(row.detail), row.answer)

    def picture(self, row: Row, media: Path) -> bytes | None:
        """The row's contact sheet."""
        return contact_sheet(row, media) if row.media else None


def sub_types(settings: VideossrSettings, rng: Random) -> list[SubType]:
    """The sub-types to make of a video, drawn from the mix as `per_video` says."""
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


def _rejected(
    video: Video,
    name: str,
    verdicts: Sequence[Verdict],
    question: work.Question | None = None,
) -> Candidate:
    """A candidate without media that says what was wrong with a video or a sample of it."""
    answer = question.answer if question else None
    detail = question.detail if question else None
    return Candidate(
        kind="rlvr",
        messages=[user(f"{name} of {video.sha256}")],
        answer=answer,
        verdicts=list(verdicts),
        sources=[video.origin],
        detail=detail.model_dump_json() if detail else NOTHING,
    )
