"""Typed settings. Defaults are the paper's (arXiv 2511.06281) or its code's; ours say so."""

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from synthmill.generators.videossr.mixes import MIXES, SubType, check_mix
from synthmill.generators.videossr.perturb.base import Parameters, Rising
from synthmill.schemas.base import Settings
from synthmill.sources.video.writing import Codec, ImageFormat

SpanFrames = Annotated[int, Field(ge=2)]  # a single frame has no order, no pace and no two edges
Share = Annotated[float, Field(gt=0, le=1)]
Channel = Annotated[int, Field(ge=0, le=255)]


class Sampling(Settings):
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


class Form(Settings):
    """How the frames are handed over."""

    media: Literal["frames", "clip"] = Field(
        default="frames", description="single pictures, or re-encoded MP4 clips"
    )
    image: ImageFormat = "jpeg"
    quality: int = Field(default=95, ge=50, le=100, description="JPEG quality; ours")
    codec: Codec = Field(default="av1", description="codec of clips")


class Checks(Settings):
    """What a video must be like. All ours: the paper filters no videos."""

    min_side: int = Field(default=128, ge=16, description="pixels of the shorter side")
    min_moving: float = Field(default=0.2, ge=0, le=1, description="share of frames that move")
    max_black: float = Field(default=0.25, ge=0, le=1, description="share of black frames")
    max_frozen: float = Field(default=0.4, ge=0, le=1, description="longest frozen run, as a share")
    max_repeated: float = Field(
        default=0.5, ge=0, le=1, description="share of frames that come again later (loops)"
    )


class Grounding(Settings):
    """Anomaly grounding (section 3.2; parameters from the released generator)."""

    length: Annotated[tuple[SpanFrames, SpanFrames], Rising] = Field(
        default=(8, 16), description="frames of the perturbed span"
    )
    parameters: Parameters = Parameters()
    decimals: int = Field(default=1, ge=0, le=3, description="digits of seconds in the answer")
    visible_step: int = Field(
        default=16, ge=1, le=255, description="change of a colour channel that can be seen; ours"
    )
    visible_share: float = Field(
        default=0.05, gt=0, lt=1, description="share of pixels that must visibly change; ours"
    )
    speed_ratio: float = Field(
        default=1.25, gt=1, description="how much slow and fast must change the movement; ours"
    )


class Level(Settings):
    """How much is drawn at most."""

    frames: int = Field(ge=1, description="frames with a shape, for each kind of shape")
    shapes: int = Field(ge=1, description="shapes in such a frame")


class Counting(Settings):
    """Object counting (section 3.3; parameters from the released generator)."""

    easy: Level = Level(frames=3, shapes=3)
    hard: Level = Level(frames=4, shapes=4)
    size: Annotated[tuple[Share, Share], Rising] = Field(
        default=(0.2, 0.4), description="share of the shorter side"
    )
    colour: Annotated[tuple[Channel, Channel], Rising] = Field(
        default=(50, 255), description="range of each colour channel"
    )
    apart: int = Field(
        default=8, ge=0, description="frames with the same shape lie further apart than this"
    )
    middle: float = Field(default=0.7, gt=0, le=1, description="centres lie in this middle part")
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
    distinct: float = Field(
        default=0.01, gt=0, lt=1, description="difference (0..1) between any two clips; ours"
    )


class VideossrSettings(Settings):
    """Settings of the generator `videossr`."""

    mix: str | dict[str, float] = Field(
        default="videossr30k",
        description=f"{', '.join(MIXES)}, or weights of sub-types such as grounding/mirror, "
        "counting/easy, jigsaw/6",
    )
    per_video: Literal["one", "each task", "all"] = Field(
        default="one",
        description="samples of a video: one drawn from the mix (the paper), one of each task, or "
        "all sub-types of the mix",
    )
    sampling: Sampling = Sampling()
    form: Form = Form()
    checks: Checks = Checks()
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
