"""A sample: its clips in terms of the sampled frames, and its typed record."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from synthmill.generators.videossr.perturbations import DrawnParameters
from synthmill.schemas.base import Record
from synthmill.sources.video.probe import VideoInfo
from synthmill.sources.video.reading import Frames, Pixels


@dataclass(frozen=True, slots=True)
class Clip:
    """One video of a question: sampled frames in `order`, some of them `changed` (by place)."""

    order: tuple[int, ...]
    changed: dict[int, Pixels] = field(default_factory=dict)

    def frame(self, place: int, base: Pixels) -> Pixels:
        """The frame at a place, (height, width, 3); `base` are the sampled frames."""
        found = self.changed.get(place)
        return base[self.order[place]] if found is None else found

    def frames(self, base: Pixels) -> Pixels:
        """All frames, (count, height, width, 3)."""
        return np.stack([self.frame(place, base) for place in range(len(self.order))])


class GroundingRecord(Record):
    """A perturbed span: frames ``first .. first + length - 1``, seconds `start` to `end`.

    `moments` holds, for slow and fast, the milliseconds of the source that each frame shows;
    `other` is the SHA-256 of the video swapped in, `other_times` are the time stamps of its frames.
    `change` is the measured visibility, and `over_movement` compares the change at the edges with
    the video's own movement; the filter `visible_change` judges them.
    """

    task: Literal["grounding"] = "grounding"
    perturbation: str
    first: int
    length: int
    start: float
    end: float
    drawn: DrawnParameters
    change: float = 0.0
    over_movement: float = 0.0
    moments: list[int] = []
    other: str | None = None
    other_times: list[int] = []


class Shape(Record):
    """A drawn shape: center and size in pixels, `angle` in degrees counter-clockwise."""

    kind: Literal["circle", "square", "triangle"]
    frame: int
    x: float
    y: float
    size: float
    angle: float
    color: tuple[int, int, int]


class CountingRecord(Record):
    """Everything that was drawn, and how many planned shapes are `missing` for lack of room."""

    task: Literal["counting"] = "counting"
    level: str
    shapes: list[Shape]
    missing: int = 0


class JigsawRecord(Record):
    """`order[k]` is the original place (from 0) of the clip that is shown as number k."""

    task: Literal["jigsaw"] = "jigsaw"
    clips: int
    frames: int
    presentation: Literal["separate", "single"]
    order: list[int]
    distance: float = 0.0


TaskRecord = GroundingRecord | CountingRecord | JigsawRecord


class Solved(Record):
    """What the blind solver answered, and the reward of that, by the row's own reward function."""

    answer: str
    reward: float


class Detail(Record):
    """The `detail` of a row: with the source video and this record the answer can be derived again.

    Sampled frame k is what the source shows at ``offset_ms + k * step_ms`` (counted from its first
    frame); `times` are the time stamps of those frames there. `fps`, which is
    ``1000 / step_ms``, is the rate given to the model, whose time starts at the first frame.
    `cuts` are the sampled frames at which a new scene begins; `black`, `moving`, `frozen` and
    `repeated` are shares of frames (see `sources.video.frame_statistics`); `hashes` are perceptual
    hashes of frames spread over the video. `chance` is the expected reward of the best constant
    answer, `random_guess` that of a random one; `solved` is what the blind solver makes of it.
    """

    sub_type: str
    video: str
    info: VideoInfo
    width: int
    height: int
    media: Literal["frames", "clip"]
    offset_ms: int
    step_ms: int
    fps: float
    times: list[int]
    cuts: list[int] = []
    black: float = 0.0
    moving: float = 1.0
    frozen: float = 0.0
    repeated: float = 0.0
    hashes: list[str] = []
    chance: float
    random_guess: float
    solved: Solved
    sample: TaskRecord


@dataclass(frozen=True, slots=True)
class Sample:
    """A question before its files are encoded.

    `clips` refer to the frames of `seen`; `step_ms` is the time between their frames.
    """

    seen: Frames
    clips: tuple[Clip, ...]
    step_ms: int
    question: str
    answer: str
    record: TaskRecord
