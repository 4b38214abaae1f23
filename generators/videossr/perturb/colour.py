"""Changes of colour and sharpness (the paper's fine-grained kind, Table 8)."""

from random import Random
from typing import ClassVar

import numpy as np

from synthmill.generators.videossr.perturb.base import Appearance, Drawn, Parameters
from synthmill.sources.video.reading import Pixels

# ITU-R BT.601, what Pillow and the released code use for grey.
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


class Grayscale(Appearance):
    """Brightness alone."""

    name: ClassVar[str] = "grayscale"
    phrase: ClassVar[str] = "the colours are gone and only shades of grey are left"

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        grey = np.rint(span.astype(np.float32) @ LUMA).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=-1)


class Invert(Appearance):
    """The photographic negative."""

    name: ClassVar[str] = "invert"
    phrase: ClassVar[str] = "the colours are inverted, like in a photographic negative"

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        return 255 - span


class ChannelSwap(Appearance):
    """Red for blue."""

    name: ClassVar[str] = "channel_swap"
    phrase: ClassVar[str] = "red and blue are exchanged, which gives things false colours"

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        return np.ascontiguousarray(span[..., ::-1])


class Noise(Appearance):
    """Gaussian noise whose strength is drawn for each frame."""

    name: ClassVar[str] = "noise"
    phrase: ClassVar[str] = "the picture is covered with random noise"

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`."""
        amounts = [rng.uniform(*parameters.noise_sigma) for _ in range(length)]
        return Drawn(amounts=amounts, seed=rng.getrandbits(63))

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
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

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`."""
        return Drawn(amounts=[parameters.blur_radius])

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        from PIL import Image, ImageFilter

        blur = ImageFilter.GaussianBlur(drawn.amounts[0])
        return np.stack([np.asarray(Image.fromarray(frame).filter(blur)) for frame in span])


class Saturation(Appearance):
    """Stronger colours."""

    name: ClassVar[str] = "saturation"
    phrase: ClassVar[str] = "the colours are far too strong"

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`."""
        return Drawn(amounts=[parameters.saturation])

    def apply(self, span: Pixels, drawn: Drawn) -> Pixels:
        """See `Appearance.apply`."""
        from PIL import Image, ImageEnhance

        strength = drawn.amounts[0]
        return np.stack(
            [np.asarray(ImageEnhance.Color(Image.fromarray(f)).enhance(strength)) for f in span]
        )
