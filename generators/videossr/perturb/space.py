"""Changes of where things stand in the picture (the paper's spatial kind, Table 8)."""

from random import Random
from typing import ClassVar

import numpy as np

from synthmill.generators.videossr.perturb.base import Appearance, Drawn, Parameters
from synthmill.sources.video.reading import Pixels


class Mirror(Appearance):
    """Left for right."""

    name: ClassVar[str] = "mirror"
    phrase: ClassVar[str] = "the picture is mirrored, left for right"

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        return np.ascontiguousarray(span[:, :, ::-1])


class Rotate180(Appearance):
    """Upside down."""

    name: ClassVar[str] = "rotate180"
    phrase: ClassVar[str] = "the picture is turned by 180 degrees, upside down"

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        return np.ascontiguousarray(span[:, ::-1, ::-1])


class Rotate90(Appearance):
    """A quarter turn to the left.

    The released code enlarges the canvas, so frames of one video differ in size; here the turned
    picture is fitted into the frame, with black around it, as a video needs it.
    """

    name: ClassVar[str] = "rotate90"
    phrase: ClassVar[str] = "the picture is turned by 90 degrees to the left"
    turns: ClassVar[int] = 1

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        height, width = span.shape[1:3]
        scale = min(width / height, height / width)
        size = (max(1, round(height * scale)), max(1, round(width * scale)))
        turned = np.rot90(span, self.turns, axes=(1, 2))
        return np.stack([_centred(frame, size, (width, height)) for frame in turned])


class Rotate270(Rotate90):
    """A quarter turn to the right, fitted like `Rotate90`."""

    name: ClassVar[str] = "rotate270"
    phrase: ClassVar[str] = "the picture is turned by 90 degrees to the right"
    turns: ClassVar[int] = 3


class ZoomIn(Appearance):
    """The middle of the picture, enlarged by a factor drawn for each frame."""

    name: ClassVar[str] = "zoom_in"
    phrase: ClassVar[str] = "the picture is enlarged, so that only its middle is seen"

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`."""
        return Drawn(amounts=[rng.uniform(*parameters.zoom_in) for _ in range(length)])

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
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

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`."""
        return Drawn(amounts=[rng.uniform(*parameters.zoom_out) for _ in range(length)])

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        height, width = span.shape[1:3]
        return np.stack(
            [
                _centred(frame, (round(width / scale), round(height / scale)), (width, height))
                for frame, scale in zip(span, drawn.amounts, strict=True)
            ]
        )


def _centred(frame: Pixels, size: tuple[int, int], canvas: tuple[int, int]) -> Pixels:
    """The frame at `size` in the middle of a black `canvas` (both width, height)."""
    from PIL import Image

    small = Image.fromarray(np.ascontiguousarray(frame)).resize(size, Image.Resampling.BILINEAR)
    out = Image.new("RGB", canvas)
    out.paste(small, ((canvas[0] - size[0]) // 2, (canvas[1] - size[1]) // 2))
    return np.asarray(out)
