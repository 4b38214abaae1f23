"""The work of one video, done in a worker process: decode once, check, build, encode."""

from dataclasses import dataclass, field
from random import Random

from synthmill.generators.videossr import checks, counting, grounding, jigsaw
from synthmill.generators.videossr.chance import chance
from synthmill.generators.videossr.encode import Encoder, MediaFile
from synthmill.generators.videossr.footage import Footage, borrowed
from synthmill.generators.videossr.mixes import SubType
from synthmill.generators.videossr.perturb.base import Replace
from synthmill.generators.videossr.records import Detail, Sample
from synthmill.generators.videossr.settings import VideossrSettings
from synthmill.generators.videossr.timeline import timeline
from synthmill.schemas.verdict import Verdict
from synthmill.sources.video.container import Unusable
from synthmill.sources.video.survey import cuts, perceptual_hash
from synthmill.sources.videos import Video

HASHES = 24  # ours: perceptual hashes spread over a video


@dataclass(frozen=True, slots=True)
class Job:
    """A video, the video to swap with, and a seed for each sub-type that is wanted of it."""

    video: Video
    other: Video | None
    wanted: tuple[tuple[SubType, int], ...]
    settings: VideossrSettings


@dataclass(frozen=True, slots=True)
class Question:
    """A finished question: no files when a verdict fails, nothing at all without a sample."""

    sub_type: SubType
    verdicts: tuple[Verdict, ...]
    text: str = ""
    answer: str | None = None
    detail: Detail | None = None
    files: tuple[MediaFile, ...] = ()


@dataclass(slots=True)
class Made:
    """The questions of a video, and the bytes of their files by hash; equal files are kept once.

    A video that fails a check has its `verdicts` and no questions.
    """

    verdicts: tuple[Verdict, ...] = ()
    questions: list[Question] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)


def make(job: Job) -> Made:
    """All questions of a video. What a video may hold never raises: it becomes a verdict."""
    verdicts = checks.of_header(job.video.info, job.settings)
    if _all_pass(verdicts):
        try:
            return _questions(job, verdicts)
        except Unusable as error:
            verdicts = [*verdicts, checks.unusable(error)]
    return Made(verdicts=tuple(verdicts))


def _questions(job: Job, verdicts: list[Verdict]) -> Made:
    sampling, info = job.settings.sampling, job.video.info
    plans = {
        sub_type: grounding.plan(
            sub_type.variant, info, sampling, job.settings.grounding, Random(seed)
        )
        for sub_type, seed in job.wanted
        if sub_type.task == "grounding"
    }
    footage = Footage(
        job.video,
        timeline(info, sampling),
        [moment for plan in plans.values() for moment in plan.moments],
        max_pixels=sampling.max_pixels,
        seconds=job.settings.work_seconds,
    )
    verdicts = verdicts + checks.of_frames(footage, job.settings.checks)
    if not _all_pass(verdicts):
        return Made(verdicts=tuple(verdicts))
    encoder = Encoder(job.settings.form, footage.sampled.pixels)
    made = Made(verdicts=tuple(verdicts), files=encoder.files)
    for sub_type, seed in job.wanted:
        try:
            sample = _sample(job, sub_type, Random(seed), footage, plans.get(sub_type))
        except Unusable as error:  # the video to swap with
            lost = (*verdicts, checks.unusable(error, "other"))
            made.questions.append(Question(sub_type, verdicts=lost))
        else:
            made.questions.append(_question(job, sub_type, sample, footage, encoder, verdicts))
    return made


def _sample(
    job: Job, sub_type: SubType, rng: Random, footage: Footage, plan: grounding.Planned | None
) -> Sample:
    settings, seen, step = job.settings, footage.sampled, footage.line.step_ms
    if plan is not None:
        other = _borrowed(job, plan, footage) if isinstance(plan.perturbation, Replace) else None
        return grounding.build(plan, footage.at(plan.moments), settings.grounding, other)
    if sub_type.task == "counting":
        return counting.build(sub_type.variant, seen, step, settings.counting, rng)
    count = int(sub_type.variant)
    return jigsaw.build(count, seen, footage.difference, step, settings.jigsaw, rng)


def _borrowed(job: Job, plan: grounding.Planned, footage: Footage) -> grounding.Borrowed:
    """The same places of the other video."""
    if job.other is None:
        raise Unusable("no other video", "swap needs a second video in the source")
    line = timeline(job.other.info, job.settings.sampling)
    places = range(plan.first, plan.first + plan.length)
    seconds = job.settings.work_seconds
    seen = borrowed(job.other, line, places, footage.size, seconds)
    return grounding.Borrowed(job.other.sha256, seen)


def _question(
    job: Job,
    sub_type: SubType,
    sample: Sample,
    footage: Footage,
    encoder: Encoder,
    verdicts: list[Verdict],
) -> Question:
    passed = sample.verdict.status == "pass"
    return Question(
        sub_type,
        text=sample.question,
        answer=sample.answer,
        detail=_detail(job, sub_type, sample, footage),
        files=encoder.files_of(sample) if passed else (),
        verdicts=(*verdicts, sample.verdict),
    )


def _detail(job: Job, sub_type: SubType, sample: Sample, footage: Footage) -> Detail:
    every = max(1, job.settings.sampling.frames // HASHES)
    return Detail(
        sub_type=str(sub_type),
        video=job.video.sha256,
        info=job.video.info,
        width=footage.size[0],
        height=footage.size[1],
        media=job.settings.form.media,
        offset_ms=footage.line.offset_ms,
        step_ms=sample.step_ms,
        fps=1000 / sample.step_ms,
        times=list(sample.seen.times),
        cuts=cuts(footage.difference),
        repeated=footage.repeated,
        hashes=[perceptual_hash(small) for small in footage.small[::every]],
        chance=chance(sub_type, job.settings),
        sample=sample.record,
    )


def _all_pass(verdicts: list[Verdict]) -> bool:
    return all(verdict.status == "pass" for verdict in verdicts)
