"""What a perturbation is: parameters drawn beforehand, then frames changed by them alone."""

from abc import ABC, abstractmethod
from random import Random
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from synthmill.schemas.base import Record, Settings
from synthmill.sources.video.reading import Pixels


def _rising(span: tuple[float, float]) -> tuple[float, float]:
    if span[0] > span[1]:
        raise ValueError(f"the first of {span} is above the second")
    return span


Sigma = Annotated[float, Field(ge=0, le=255)]
Zoom = Annotated[float, Field(ge=1, le=8)]
Holds = Annotated[int, Field(ge=1)]
Rising = AfterValidator(_rising)


class Parameters(Settings):
    """Strengths of the perturbations. Defaults are the released code's; slow and fast are ours."""

    noise_sigma: Annotated[tuple[Sigma, Sigma], Rising] = Field(
        default=(35.0, 70.0), description="Gaussian noise, drawn for each frame, of 255"
    )
    zoom_in: Annotated[tuple[Zoom, Zoom], Rising] = Field(
        default=(1.3, 1.5), description="enlargement, drawn for each frame"
    )
    zoom_out: Annotated[tuple[Zoom, Zoom], Rising] = Field(
        default=(1.2, 1.4), description="reduction, drawn for each frame"
    )
    blur_radius: float = Field(default=2.0, gt=0, description="Gaussian blur, in pixels")
    saturation: float = Field(default=2.0, gt=0, description="factor of colour saturation")
    stutter_holds: Annotated[tuple[Holds, Holds], Rising] = Field(
        default=(2, 5), description="frames that are held"
    )
    slow: float = Field(default=2.0, gt=1, description="how many times slower; undisclosed, ours")
    fast: float = Field(default=2.0, gt=1, description="how many times faster; undisclosed, ours")


class Drawn(Record):
    """What was drawn for one sample: with it, the change can be made again exactly.

    `amounts` holds one number a frame (sigma, scale) or one for all; `order` says which frame of
    the span stands at each of its places; `rate` is source seconds per shown second; `seed` feeds
    the noise.
    """

    amounts: list[float] = []
    order: list[int] = []
    rate: float = 1.0
    seed: int | None = None


class Perturbation(ABC):
    """A change of a span of frames. `phrase` completes "In one span of the video, ..."."""

    name: ClassVar[str]
    phrase: ClassVar[str]

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """The parameters for a span of `length` frames."""
        return Drawn()


class Appearance(Perturbation):
    """Changes how the frames of the span look, each in its place."""

    @abstractmethod
    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """The changed frames; same shape as `span`, (length, height, width, 3)."""


class Reorder(Perturbation):
    """Shows frames of the span at other places of it: `Drawn.order`."""


class Speed(Perturbation):
    """Shows the span slower or faster: `Drawn.rate`. What surrounds it keeps its speed."""


class Replace(Perturbation):
    """Shows another video in the span."""
