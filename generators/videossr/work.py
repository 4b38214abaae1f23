"""The work of one video, done in a worker process: decode once, build, measure, encode."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from synthmill.generators.videossr import counting, grounding, jigsaw
from synthmill.generators.videossr.chance import chance_levels
from synthmill.generators.videossr.decoded_video import DecodedVideo, frames_covering, timeline
from synthmill.generators.videossr.grounding import GroundingPlan, OtherVideo
from synthmill.generators.videossr.perturbations import Replace
from synthmill.generators.videossr.records import Clip, Detail, Sample, Solved
from synthmill.generators.videossr.settings import MediaSettings, SubType, VideossrSettings
from synthmill.generators.videossr.solver import solve
from synthmill.rewards.videossr import compute_score
from synthmill.sources.video.container import UnusableVideo
from synthmill.sources.video.frame_statistics import (
    black_share,
    cuts,
    frozen_share,
    moving_share,
    perceptual_hash,
)
from synthmill.sources.video.probe import VideoInfo
from synthmill.sources.video.reading import Pixels
from synthmill.sources.video.writing import SMALLEST_SIDE, clip_bytes, image_bytes, read_back
from synthmill.sources.videos import Video

HASHES = 24  # ours: perceptual hashes spread over a video


@dataclass(frozen=True, slots=True)
class MediaFile:
    """A file of a question, named by the hash of its bytes: a frame of a clip, or a whole clip.

    `second` is its position on the clip's time axis, `frames` the number of frames in it.
    """

    sha256: str
    clip: int
    place: int
    second: float
    frames: int = 1


class MediaEncoder:
    """Encodes the questions of one video; `base` are the sampled frames that most of them show.

    Raises:
        UnusableVideo: the frames are too narrow for the encoders of clips.
    """

    def __init__(self, form: MediaSettings, base: Pixels) -> None:
        height, width = base.shape[1:3]
        if form.media == "clip" and min(width, height) < SMALLEST_SIDE:
            raise UnusableVideo(
                "too narrow", f"frames of {width}x{height}, clips need {SMALLEST_SIDE}"
            )
        self.files: dict[str, bytes] = {}
        self._form = form
        self._base = base
        self._encoded: dict[int, str] = {}  # sampled frames that are among the files
        self._decoded: dict[str, Pixels] = {}

    def files_of(self, sample: Sample) -> tuple[MediaFile, ...]:
        """The files of a sample, clip after clip."""
        pack = self._frames if self._form.media == "frames" else self._whole
        return tuple(
            file
            for number, clip in enumerate(sample.clips)
            for file in pack(number, clip, sample.seen.pixels, sample.step_ms)
        )

    def clips(self, files: Sequence[MediaFile]) -> list[Pixels]:
        """The clips that files show, decoded again: (count, height, width, 3) each."""
        clips: dict[int, list[Pixels]] = {}
        for file in files:
            if file.sha256 not in self._decoded:
                self._decoded[file.sha256] = read_back(self.files[file.sha256])
            clips.setdefault(file.clip, []).append(self._decoded[file.sha256])
        return [np.concatenate(parts) for parts in clips.values()]

    def _frames(self, number: int, clip: Clip, base: Pixels, step_ms: int) -> list[MediaFile]:
        return [
            MediaFile(self._frame(clip, place, base), number, place, place * step_ms / 1000)
            for place in range(len(clip.order))
        ]

    def _frame(self, clip: Clip, place: int, base: Pixels) -> str:
        if place in clip.changed or base is not self._base:
            return self._image(clip.frame(place, base))
        index = clip.order[place]
        if index not in self._encoded:
            self._encoded[index] = self._image(base[index])
        return self._encoded[index]

    def _image(self, pixels: Pixels) -> str:
        return self._keep(image_bytes(pixels, self._form.image, self._form.quality))

    def _whole(self, number: int, clip: Clip, base: Pixels, step_ms: int) -> list[MediaFile]:
        data = clip_bytes(clip.frames(base), step_ms, self._form.codec)
        return [MediaFile(self._keep(data), number, 0, 0.0, len(clip.order))]

    def _keep(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        self.files[name] = data
        return name


@dataclass(frozen=True, slots=True)
class VideoJob:
    """A video, the video to swap with, and a seed for each sub-type to make."""

    video: Video
    other: Video | None
    wanted: tuple[tuple[SubType, int], ...]
    settings: VideossrSettings


@dataclass(frozen=True, slots=True)
class VideoQuestion:
    """A finished question; `files` name bytes of its `WorkResult`."""

    sub_type: SubType
    text: str
    answer: str
    detail: Detail
    files: tuple[MediaFile, ...]


@dataclass(slots=True)
class WorkResult:
    """The questions of a video, and the bytes of their files by hash; equal files are kept once.

    `failures` are the sub-types that could not be made, each with the reason; "video" stands for
    all of them.
    """

    questions: list[VideoQuestion] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    failures: list[tuple[str, UnusableVideo]] = field(default_factory=list)


def make(job: VideoJob) -> WorkResult:
    """All questions of a video. A video that cannot be used is a failure and not an exception."""
    try:
        _check_length(job.video.info, job.settings)
        return _questions(job)
    except UnusableVideo as error:
        return WorkResult(failures=[("video", error.with_traceback(None))])


def _check_length(info: VideoInfo, settings: VideossrSettings) -> None:
    """Refuse fewer frames than are sampled (the code's rule), or closer than an answer's digits."""
    begin, end = settings.sampling.span
    share = (end - begin) / settings.sampling.frames
    frames, step = info.frames * share, info.seconds * share * 10**settings.grounding.decimals
    if min(frames, step) < 1:
        raise UnusableVideo("too short", f"{info.seconds:.2f} s, {info.frames} frames")


def _questions(job: VideoJob) -> WorkResult:
    sampling, info = job.settings.sampling, job.video.info
    plans = {
        sub_type: grounding.plan(
            sub_type.variant, info, sampling, job.settings.grounding, Random(seed)
        )
        for sub_type, seed in job.wanted
        if sub_type.task == "grounding"
    }
    decoded = DecodedVideo(
        job.video,
        timeline(info, sampling),
        [moment for plan in plans.values() for moment in (*plan.moments, *plan.normal)],
        max_pixels=sampling.max_pixels,
        seconds=job.settings.work_seconds,
    )
    encoder = MediaEncoder(job.settings.form, decoded.sampled.pixels)
    result = WorkResult(files=encoder.files)
    for sub_type, seed in job.wanted:
        try:
            sample = _sample(job, sub_type, Random(seed), decoded, plans.get(sub_type))
        except UnusableVideo as error:  # the video to swap with
            lost = UnusableVideo(f"other video: {error.reason}", error.detail)
            result.failures.append((str(sub_type), lost))
            continue
        files = encoder.files_of(sample)
        solved = _solved(job.settings, sub_type, sample, encoder.clips(files))
        result.questions.append(
            VideoQuestion(
                sub_type,
                text=sample.question,
                answer=sample.answer,
                detail=_detail(job, sub_type, sample, decoded, solved),
                files=files,
            )
        )
    return result


def _sample(
    job: VideoJob,
    sub_type: SubType,
    rng: Random,
    decoded: DecodedVideo,
    plan: GroundingPlan | None,
) -> Sample:
    settings, seen, step = job.settings, decoded.sampled, decoded.line.step_ms
    if plan is not None:
        other = _borrowed(job, plan, decoded) if isinstance(plan.perturbation, Replace) else None
        normal = decoded.at(plan.normal) if plan.normal else None
        shown = decoded.at(plan.moments)
        return grounding.build(plan, shown, settings.grounding, other=other, normal=normal)
    if sub_type.task == "counting":
        return counting.build(sub_type.variant, seen, step, settings.counting, rng)
    count = int(sub_type.variant)
    return jigsaw.build(count, seen, decoded.difference, step, settings.jigsaw, rng)


def _borrowed(job: VideoJob, plan: GroundingPlan, decoded: DecodedVideo) -> OtherVideo:
    """The frames at the same places of the other video."""
    if job.other is None:
        raise UnusableVideo("no other video", "swap needs a second video in the source")
    line = timeline(job.other.info, job.settings.sampling)
    places = range(plan.first, plan.first + plan.length)
    seconds = job.settings.work_seconds
    seen = frames_covering(job.other, line, places, decoded.size, seconds)
    return OtherVideo(job.other.sha256, seen)


def _solved(
    settings: VideossrSettings, sub_type: SubType, sample: Sample, clips: list[Pixels]
) -> Solved:
    """The answer of the blind solver to the question as its files show it."""
    answer = solve(sub_type, clips, 1000 / sample.step_ms, settings.grounding.decimals)
    strict = {"strict": sub_type.task in settings.strict}
    reward = compute_score(sub_type.task, answer, sample.answer, strict)
    return Solved(answer=answer, reward=round(reward, 4))


def _detail(
    job: VideoJob, sub_type: SubType, sample: Sample, decoded: DecodedVideo, solved: Solved
) -> Detail:
    every = max(1, job.settings.sampling.frames // HASHES)
    levels = chance_levels(sub_type, job.settings)
    return Detail(
        sub_type=str(sub_type),
        video=job.video.sha256,
        info=job.video.info,
        width=decoded.size[0],
        height=decoded.size[1],
        media=job.settings.form.media,
        offset_ms=decoded.line.offset_ms,
        step_ms=sample.step_ms,
        fps=1000 / sample.step_ms,
        times=list(sample.seen.times),
        cuts=cuts(decoded.difference),
        black=black_share(decoded.small),
        moving=moving_share(decoded.difference),
        frozen=frozen_share(decoded.difference),
        repeated=decoded.repeated,
        hashes=[perceptual_hash(small) for small in decoded.small[::every]],
        chance=levels.best_constant,
        random_guess=levels.random_guess,
        solved=solved,
        sample=sample.record,
    )
