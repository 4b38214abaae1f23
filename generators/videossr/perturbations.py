"""The 17 perturbations of a span of frames: color, space, order, speed, another video.

A perturbation draws its parameters before anything is decoded; the change depends on them alone.
"""

from abc import ABC, abstractmethod
from random import Random
from typing import Annotated, ClassVar

import numpy as np
from pydantic import AfterValidator, Field

from synthmill.schemas.base import Record, Settings
from synthmill.sources.video.reading import Pixels


def _ascending(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"the first of {span} is above the second")
    return span


Sigma = Annotated[float, Field(ge=0, le=255)]
Zoom = Annotated[float, Field(ge=1, le=8)]
Holds = Annotated[int, Field(ge=1)]
Ascending = AfterValidator(_ascending)


class PerturbationSettings(Settings):
    """Strengths of the perturbations. Defaults are the released code's; slow and fast are ours."""

    noise_sigma: Annotated[tuple[Sigma, Sigma], Ascending] = Field(
        default=(35.0, 70.0), description="Gaussian noise, drawn for each frame, of 255"
    )
    zoom_in: Annotated[tuple[Zoom, Zoom], Ascending] = Field(
        default=(1.3, 1.5), description="enlargement, drawn for each frame"
    )
    zoom_out: Annotated[tuple[Zoom, Zoom], Ascending] = Field(
        default=(1.2, 1.4), description="reduction, drawn for each frame"
    )
    blur_radius: float = Field(default=2.0, gt=0, description="Gaussian blur, in pixels")
    saturation: float = Field(default=2.0, gt=0, description="factor of color saturation")
    stutter_holds: Annotated[tuple[Holds, Holds], Ascending] = Field(
        default=(2, 5), description="frames that are held"
    )
    slow: float = Field(default=2.0, gt=1, description="how many times slower; undisclosed, ours")
    fast: float = Field(default=2.0, gt=1, description="how many times faster; undisclosed, ours")


class DrawnParameters(Record):
    """The parameters drawn for one sample; they reproduce the change exactly.

    `amounts` holds one number per frame (sigma, scale) or one for all; `order` is the frame of the
    span that is shown at each of its places; `rate` is source seconds per shown second; `seed` is
    that of the noise.
    """

    amounts: list[float] = []
    order: list[int] = []
    rate: float = 1.0
    seed: int | None = None


class Perturbation(ABC):
    """A change of a span of frames. `phrase` completes "In one span of the video, ..."."""

    name: ClassVar[str]
    phrase: ClassVar[str]

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        """The parameters for a span of `length` frames."""
        return DrawnParameters()


class Appearance(Perturbation):
    """Changes the look of the frames of the span and not their order."""

    @abstractmethod
    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        """The changed frames; same shape as `span`, (length, height, width, 3)."""


class Reorder(Perturbation):
    """Shows frames of the span at other places of it: `DrawnParameters.order`."""


class Speed(Perturbation):
    """Shows the span slower or faster (`DrawnParameters.rate`); the rest keeps its speed."""


class Replace(Perturbation):
    """Shows another video in the span."""


# Color and sharpness (the paper's fine-grained kind, Table 8).

# ITU-R BT.601, what Pillow and the released code use for gray.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Grayscale(Appearance):
    """Brightness alone."""

    name: ClassVar[str] = "grayscale"
    phrase: ClassVar[str] = "the colors are gone and only shades of gray are left"

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        gray = np.rint(span.astype(np.float32) @ LUMA).astype(np.uint8)
        return np.repeat(gray[..., None], 3, axis=-1)


class Invert(Appearance):
    """The photographic negative."""

    name: ClassVar[str] = "invert"
    phrase: ClassVar[str] = "the colors are inverted, like in a photographic negative"

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        return 255 - span


class ChannelSwap(Appearance):
    """Red for blue."""

    name: ClassVar[str] = "channel_swap"
    phrase: ClassVar[str] = "red and blue are exchanged, which gives things false colors"

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        return np.ascontiguousarray(span[..., ::-1])


class Noise(Appearance):
    """Gaussian noise whose strength is drawn for each frame."""

    name: ClassVar[str] = "noise"
    phrase: ClassVar[str] = "the picture is covered with random noise"

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        amounts = [rng.uniform(*parameters.noise_sigma) for _ in range(length)]
        return DrawnParameters(amounts=amounts, seed=rng.getrandbits(63))

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        source = np.random.default_rng(drawn.seed)
        noisy = np.empty_like(span)
        for place, (frame, sigma) in enumerate(zip(span, drawn.amounts, strict=True)):
            noise = source.standard_normal(frame.shape, np.float32) * sigma
            noisy[place] = np.clip(frame + noise, 0, 255)
        return noisy


class Blur(Appearance):
    """Gaussian blur."""

    name: ClassVar[str] = "blur"
    phrase: ClassVar[str] = "the picture is blurred"

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        return DrawnParameters(amounts=[parameters.blur_radius])

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        from PIL import Image, ImageFilter

        blur = ImageFilter.GaussianBlur(drawn.amounts[0])
        return np.stack([np.asarray(Image.fromarray(frame).filter(blur)) for frame in span])


class Saturation(Appearance):
    """Stronger colors."""

    name: ClassVar[str] = "saturation"
    phrase: ClassVar[str] = "the colors are far too strong"

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        return DrawnParameters(amounts=[parameters.saturation])

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        from PIL import Image, ImageEnhance

        strength = drawn.amounts[0]
        return np.stack(
            [np.asarray(ImageEnhance.Color(Image.fromarray(f)).enhance(strength)) for f in span]
        )


# Position in the picture (the paper's spatial kind, Table 8).


class Mirror(Appearance):
    """Left for right."""

    name: ClassVar[str] = "mirror"
    phrase: ClassVar[str] = "the picture is mirrored, left for right"

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        return np.ascontiguousarray(span[:, :, ::-1])


class Rotate180(Appearance):
    """Upside down."""

    name: ClassVar[str] = "rotate180"
    phrase: ClassVar[str] = "the picture is turned by 180 degrees, upside down"

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        return np.ascontiguousarray(span[:, ::-1, ::-1])


class Rotate90(Appearance):
    """A quarter turn to the left.

    The released code enlarges the canvas, so frames of one video differ in size; here the turned
    picture is fitted into the frame, with black around it, so that all frames have one size.
    """

    name: ClassVar[str] = "rotate90"
    phrase: ClassVar[str] = "the picture is turned by 90 degrees to the left"
    turns: ClassVar[int] = 1

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        height, width = span.shape[1:3]
        scale = min(width / height, height / width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        turned = np.rot90(span, self.turns, axes=(1, 2))
        return np.stack([_centered(frame, size, (width, height)) for frame in turned])


class Rotate270(Rotate90):
    """A quarter turn to the right, fitted like `Rotate90`."""

    name: ClassVar[str] = "rotate270"
    phrase: ClassVar[str] = "the picture is turned by 90 degrees to the right"
    turns: ClassVar[int] = 3


class ZoomIn(Appearance):
    """The middle of the picture, enlarged by a factor drawn for each frame."""

    name: ClassVar[str] = "zoom_in"
    phrase: ClassVar[str] = "the picture is enlarged, so that only its middle is seen"

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        return DrawnParameters(amounts=[rng.uniform(*parameters.zoom_in) for _ in range(length)])

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        from PIL import Image

        height, width = span.shape[1:3]
        zoomed = np.empty_like(span)
        for place, (frame, scale) in enumerate(zip(span, drawn.amounts, strict=True)):
            inner_width, inner_height = width / scale, height / scale
            left, top = (width - inner_width) / 2, (height - inner_height) / 2
            box = (left, top, left + inner_width, top + inner_height)
            image = Image.fromarray(frame)
            zoomed[place] = np.asarray(
                image.resize((width, height), Image.Resampling.BILINEAR, box=box)
            )
        return zoomed


class ZoomOut(Appearance):
    """The whole picture, reduced on black by a factor drawn for each frame."""

    name: ClassVar[str] = "zoom_out"
    phrase: ClassVar[str] = "the picture is reduced and has a black border around it"

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        return DrawnParameters(amounts=[rng.uniform(*parameters.zoom_out) for _ in range(length)])

    def apply(self, span: Pixels, drawn: DrawnParameters) -> Pixels:
        height, width = span.shape[1:3]
        return np.stack(
            [
                _centered(frame, (round(width / scale), round(height / scale)), (width, height))
                for frame, scale in zip(span, drawn.amounts, strict=True)
            ]
        )


def _centered(frame: Pixels, size: tuple[int, int], canvas: tuple[int, int]) -> Pixels:
    """The frame at `size` in the middle of a black `canvas` (both width, height)."""
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(frame)).resize(size, Image.Resampling.BILINEAR)
    out = Image.new("RGB", canvas)
    out.paste(small, ((canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2))
    return np.asarray(out)


# Order, pace and content over time (the paper's temporal kind, Table 8, and the code's swap).

TRIES = 1000


class Shuffle(Reorder):
    """The frames of the span in random order."""

    name: ClassVar[str] = "shuffle"
    phrase: ClassVar[str] = "the frames are shown in random order"

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        """The first and the last frame always leave their places (ours): a span whose edge looks
        unchanged would begin or end later or earlier than its label says.
        """
        order = list(range(length))
        for _ in range(TRIES):
            rng.shuffle(order)
            if order[0] != 0 and order[-1] != length - 1:
                return DrawnParameters(order=order)
        raise ValueError(f"a span of {length} frames cannot be shuffled")


class StutterHold(Reorder):
    """A few frames, spread evenly over the span, each held until the next."""

    name: ClassVar[str] = "stutter_hold"
    phrase: ClassVar[str] = "the picture stutters: it freezes on a frame, then jumps to the next"

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        """Every frame is held for at least two places (ours), else the stutter is not visible."""
        low, high = parameters.stutter_holds
        count = min(rng.randint(low, high), length // 2)
        starts = [length * index // count for index in range(count)]
        held = [max(start for start in starts if start <= place) for place in range(length)]
        return DrawnParameters(order=held)


class Slow(Speed):
    """Slow motion. The released code has none; its construction is ours (see `grounding`)."""

    name: ClassVar[str] = "slow"
    phrase: ClassVar[str] = (
        "everything moves slower than in the rest (judge by the movement itself; "
        "the time stamps of the frames stay evenly spaced)"
    )

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        return DrawnParameters(rate=1 / parameters.slow)


class Fast(Speed):
    """Time lapse; see `Slow`."""

    name: ClassVar[str] = "fast"
    phrase: ClassVar[str] = (
        "everything moves faster than in the rest (judge by the movement itself; "
        "the time stamps of the frames stay evenly spaced)"
    )

    def draw(self, rng: Random, length: int, parameters: PerturbationSettings) -> DrawnParameters:
        return DrawnParameters(rate=parameters.fast)


class Swap(Replace):
    """The same places of another video."""

    name: ClassVar[str] = "swap"
    phrase: ClassVar[str] = "a different video is shown"


# The 14 of the paper (Table 8), then the three that only the released code has.
PAPER: tuple[Perturbation, ...] = (
    Saturation(),
    Noise(),
    Blur(),
    Grayscale(),
    Invert(),
    ChannelSwap(),
    ZoomIn(),
    Rotate180(),
    ZoomOut(),
    Mirror(),
    Slow(),
    Fast(),
    StutterHold(),
    Shuffle(),
)
CODE_ONLY: tuple[Perturbation, ...] = (Rotate90(), Rotate270(), Swap())
PERTURBATIONS: dict[str, Perturbation] = {p.name: p for p in PAPER + CODE_ONLY}
