"""Changes of what is shown when (the paper's temporal kind, Table 8), and the swap of the code."""

from random import Random
from typing import ClassVar

from synthmill.generators.videossr.perturb.base import Drawn, Parameters, Reorder, Replace, Speed

TRIES = 1000


class Shuffle(Reorder):
    """The frames of the span in random order."""

    name: ClassVar[str] = "shuffle"
    phrase: ClassVar[str] = "the frames are shown in random order"

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`.

        The first and the last frame always leave their places (ours): a span whose edge looks
        untouched would begin or end elsewhere than its label says.
        """
        order = list(range(length))
        for _ in range(TRIES):
            rng.shuffle(order)
            if order[0] != 0 and order[-1] != length - 1:
                return Drawn(order=order)
        raise ValueError(f"a span of {length} frames cannot be shuffled")


class StutterHold(Reorder):
    """A few frames, spread evenly over the span, each held until the next."""

    name: ClassVar[str] = "stutter_hold"
    phrase: ClassVar[str] = "the picture stutters: it freezes on a frame, then jumps to the next"

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`.

        Every frame is held for two places at least (ours): one that is not held is no stutter.
        """
        low, high = parameters.stutter_holds
        count = min(rng.randint(low, high), length // 2)
        starts = [length * index // count for index in range(count)]
        held = [max(start for start in starts if start <= place) for place in range(length)]
        return Drawn(order=held)


class Slow(Speed):
    """Slow motion. The released code has none; how it is built is ours (see `grounding`)."""

    name: ClassVar[str] = "slow"
    phrase: ClassVar[str] = (
        "everything moves slower than in the rest (judge by the movement itself; "
        "the time stamps of the frames stay evenly spaced)"
    )

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`."""
        return Drawn(rate=1 / parameters.slow)


class Fast(Speed):
    """Time lapse; see `Slow`."""

    name: ClassVar[str] = "fast"
    phrase: ClassVar[str] = (
        "everything moves faster than in the rest (judge by the movement itself; "
        "the time stamps of the frames stay evenly spaced)"
    )

    def draw(self, rng: Random, length: int, parameters: Parameters) -> Drawn:
        """See `Perturbation.draw`."""
        return Drawn(rate=parameters.fast)


class Swap(Replace):
    """The same places of another video."""

    name: ClassVar[str] = "swap"
    phrase: ClassVar[str] = "a different video is shown"
