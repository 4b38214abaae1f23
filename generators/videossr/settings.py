"""Sub-types, mixes and settings. Defaults are the paper's (arXiv 2511.06281) or its code's."""

from math import inf
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, field_validator, model_validator

from synthmill.generators.videossr.perturbations import (
    PERTURBATIONS,
    Ascending,
    PerturbationSettings,
)
from synthmill.schemas.base import Settings
from synthmill.schemas.errors import nearest
from synthmill.sources.video.writing import Codec, ImageFormat

TASKS = ("grounding", "counting", "jigsaw")
LEVELS = ("easy", "hard")
MIN_CLIPS = 3  # ours: the identity is never the truth, so two clips would have one answer
MAX_CLIPS = 24  # ours: more clips than that have fewer than two of 48 frames


class SubType(NamedTuple):
    """A task and its variant: a perturbation, a level, or a number of clips."""

    task: str
    variant: str

    def __str__(self) -> str:
        return f"{self.task}/{self.variant}"


# Section 4.2 and train.sh: 12k grounding in four types, 12k jigsaw, 6k counting.
VIDEOSSR_30K = {
    "grounding/channel_swap": 3000.0,
    "grounding/mirror": 3000.0,
    "grounding/zoom_out": 3000.0,
    "grounding/rotate180": 3000.0,
    "counting/easy": 6000.0,
    "jigsaw/6": 12000.0,
}
# VIUBench: nine sub-types, 300 questions each.
VIUBENCH = {
    "grounding/channel_swap": 300.0,
    "grounding/mirror": 300.0,
    "grounding/zoom_out": 300.0,
    "grounding/rotate180": 300.0,
    "grounding/shuffle": 300.0,
    "counting/easy": 300.0,
    "counting/hard": 300.0,
    "jigsaw/6": 300.0,
    "jigsaw/8": 300.0,
}
EVERYTHING = {f"grounding/{name}": 1.0 for name in PERTURBATIONS} | {
    "counting/easy": 1.0,
    "counting/hard": 1.0,
    "jigsaw/6": 1.0,
    "jigsaw/8": 1.0,
}
MIXES = {"videossr30k": VIDEOSSR_30K, "viubench": VIUBENCH, "everything": EVERYTHING}


def check_mix(mix: str | dict[str, float]) -> dict[SubType, float]:
    """Weights by sub-type.

    Raises:
        ValueError: there is no such mix or sub-type, or no weight is above 0.
    """
    if isinstance(mix, str):
        if mix not in MIXES:
            raise ValueError(f"there is no mix {mix!r}{nearest(mix, MIXES)}; known: {list(MIXES)}")
        mix = MIXES[mix]
    weights = {parse_sub_type(name): weight for name, weight in mix.items()}
    if not all(0 <= weight < inf for weight in weights.values()) or not any(weights.values()):
        raise ValueError("a mix needs finite weights of 0 or more, and one above 0")
    return weights


def parse_sub_type(name: str) -> SubType:
    """The sub-type that ``task/variant`` names.

    Raises:
        ValueError: there is none.
    """
    task, _, variant = name.partition("/")
    if task == "jigsaw" and variant.isascii() and variant.isdigit():
        if not MIN_CLIPS <= int(variant) <= MAX_CLIPS:
            raise ValueError(f"a jigsaw has {MIN_CLIPS} to {MAX_CLIPS} clips, not {variant}")
        return SubType(task, str(int(variant)))
    if (task == "grounding" and variant in PERTURBATIONS) or (
        task == "counting" and variant in LEVELS
    ):
        return SubType(task, variant)
    raise ValueError(f"there is no sub-type {name!r}{nearest(name, EVERYTHING)}")


SpanFrames = Annotated[int, Field(ge=2)]  # a single frame has no order, no pace and no two edges
Share = Annotated[float, Field(gt=0, le=1)]
Channel = Annotated[int, Field(ge=0, le=255)]


class VideoSampling(Settings):
    """Which frames of a video are used, and how large."""

    frames: int = Field(default=48, ge=8, description="frames sampled from a video")
    max_pixels: int = Field(default=65536, ge=4096, description="pixels of a frame: 256x256")
    span: tuple[float, float] = Field(
        default=(0.0, 1.0),
        description="the part of the video that is sampled, as shares of its length. The released "
        "code takes (0.05, 0.95) and labels as if it were all; with 0 at the front, the model's "
        "time axis, the label and the video's own time agree",
    )

    @field_validator("span")
    @classmethod
    def _ordered(cls, span: tuple[float, float]) -> tuple[float, float]:
        if not 0 <= span[0] < span[1] <= 1:
            raise ValueError(f"a span is two rising shares of 0..1, not {span}")
        return span


class MediaSettings(Settings):
    """The form of the media files."""

    media: Literal["frames", "clip"] = Field(
        default="frames", description="single pictures, or re-encoded MP4 clips"
    )
    image: ImageFormat = "jpeg"
    quality: int = Field(default=95, ge=50, le=100, description="JPEG quality; ours")
    codec: Codec = Field(default="av1", description="codec of clips")


class Grounding(Settings):
    """Anomaly grounding (section 3.2; parameters from the released generator)."""

    length: Annotated[tuple[SpanFrames, SpanFrames], Ascending] = Field(
        default=(8, 16), description="frames of the perturbed span"
    )
    parameters: PerturbationSettings = PerturbationSettings()
    decimals: int = Field(default=1, ge=0, le=3, description="digits of seconds in the answer")
    visible_step: int = Field(
        default=16, ge=1, le=255, description="change of a color channel that can be seen; ours"
    )


class Level(Settings):
    """Upper bounds of what is drawn."""

    frames: int = Field(ge=1, description="frames with a shape, for each kind of shape")
    shapes: int = Field(ge=1, description="shapes in such a frame")


class Counting(Settings):
    """Object counting (section 3.3; parameters from the released generator)."""

    easy: Level = Level(frames=3, shapes=3)
    hard: Level = Level(frames=4, shapes=4)
    size: Annotated[tuple[Share, Share], Ascending] = Field(
        default=(0.2, 0.4), description="share of the shorter side"
    )
    color: Annotated[tuple[Channel, Channel], Ascending] = Field(
        default=(50, 255), description="range of each color channel"
    )
    apart: int = Field(
        default=8, ge=0, description="frames with the same shape lie further apart than this"
    )
    middle: float = Field(default=0.7, gt=0, le=1, description="centers lie in this middle part")
    margin: float = Field(default=0.75, ge=0.75, description="distance from the edge, in sizes")
    contrast: int = Field(
        default=64,
        ge=1,
        le=255,
        description="difference of some channel from nearly every covered pixel; ours",
    )
    gap: int = Field(default=6, ge=1, description="pixels between two shapes at least; ours")

    @model_validator(mode="after")
    def _fits(self) -> "Counting":
        if self.size[1] * self.margin > 0.5:
            raise ValueError("a shape and its margin must fit into the frame: size * margin <= 0.5")
        return self


class Jigsaw(Settings):
    """Temporal jigsaw (section 3.4). The number of clips is the sub-type: ``jigsaw/6``."""

    presentation: Literal["separate", "single"] = Field(
        default="separate", description="each clip a video of its own, or all in one video"
    )


class VideossrSettings(Settings):
    """Settings of the generator `videossr`."""

    mix: str | dict[str, float] = Field(
        default="videossr30k",
        description=f"{', '.join(MIXES)}, or weights of sub-types such as grounding/mirror, "
        "counting/easy, jigsaw/6",
    )
    per_video: Literal["one", "one_per_task", "all"] = Field(
        default="one",
        description="samples of a video: one drawn from the mix (the paper), one of each task, or "
        "all sub-types of the mix",
    )
    sampling: VideoSampling = VideoSampling()
    form: MediaSettings = MediaSettings()
    grounding: Grounding = Grounding()
    counting: Counting = Counting()
    jigsaw: Jigsaw = Jigsaw()
    strict: list[Literal["grounding", "counting", "jigsaw"]] = Field(
        default=[], description="tasks that are scored by the strict reward, not the smooth one"
    )
    shift: bool = Field(
        default=False, description="shift rewards so that guessing scores 0 (reward_args)"
    )
    work_seconds: float = Field(default=180, gt=0, description="time limit for a video; ours")

    @field_validator("mix")
    @classmethod
    def _known(cls, mix: str | dict[str, float]) -> str | dict[str, float]:
        check_mix(mix)
        return mix

    @model_validator(mode="after")
    def _frames_suffice(self) -> "VideossrSettings":
        frames, tasks = self.sampling.frames, {name.task for name in self.weights}
        if "grounding" in tasks and self.grounding.length[1] > frames:
            raise ValueError(f"grounding.length is more than the {frames} frames sampled")
        clips = [int(name.variant) for name in self.weights if name.task == "jigsaw"]
        if max(clips, default=0) > frames:
            raise ValueError(f"{max(clips)} clips cannot be cut of {frames} frames")
        return self

    @property
    def weights(self) -> dict[SubType, float]:
        """The mix as weights of sub-types."""
        return check_mix(self.mix)
