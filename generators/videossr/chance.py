"""Expected rewards of guessing, computed exactly for given settings.

A guess is an answer drawn as the generator draws the truth (a jigsaw's from all permutations): it
follows the format and the distribution of true answers and ignores the video.
"""

from collections import defaultdict
from functools import cache
from itertools import product
from math import factorial

from synthmill.generators.videossr.settings import Counting, Grounding, SubType, VideossrSettings
from synthmill.rewards import videossr as rewards


def chance(sub_type: SubType, settings: VideossrSettings) -> float:
    """The expected reward of guessing at a sub-type, smooth or strict as in the settings."""
    strict = sub_type.task in settings.strict
    if sub_type.task == "grounding":
        return grounding(settings.sampling.frames, settings.grounding.length, strict)
    if sub_type.task == "counting":
        level = getattr(settings.counting, sub_type.variant)
        return counting(level.frames, level.shapes, strict)
    return jigsaw(int(sub_type.variant), strict)


@cache
def grounding(
    frames: int = 48, length: tuple[int, int] = Grounding().length, strict: bool = False
) -> float:
    """Mean IoU of two spans: length uniform in `length`, then start uniform where it fits.

    0.216 for the paper's 8..16 of 48 frames.
    """
    spans = _spans(frames, length)
    total = 0.0
    for (start, end), weight in spans:
        for (other_start, other_end), other_weight in spans:
            shared = max(0, min(end, other_end) - max(start, other_start))
            iou = shared / (max(end, other_end) - min(start, other_start)) if shared else 0.0
            reward = float(iou >= rewards.STRICT_IOU) if strict else iou
            total += weight * other_weight * reward
    return total


def _spans(frames: int, length: tuple[int, int]) -> list[tuple[tuple[int, int], float]]:
    low, high = length
    return [
        ((start, start + size), 1 / (high - low + 1) / (frames - size + 1))
        for size in range(low, high + 1)
        for start in range(frames - size + 1)
    ]


@cache
def counting(
    frames: int = Counting().easy.frames, shapes: int = Counting().easy.shapes, strict: bool = False
) -> float:
    """Mean reward of counts drawn like the truth: 1..`frames` frames with 1..`shapes` each."""
    law = _count_law(frames, shapes)
    total = 0.0
    for (given, p), (right, q) in product(law.items(), repeat=2):
        reward = float(given == right) if strict else max(0.0, 1 - abs(given - right) / right)
        total += p * q * reward
    return total


def _count_law(frames: int, shapes: int) -> dict[int, float]:
    """Probability of each count of one shape."""
    law: dict[int, float] = defaultdict(float)
    sums: dict[int, float] = {0: 1.0}
    for _ in range(frames):
        added: dict[int, float] = defaultdict(float)
        for total, p in sums.items():
            for count in range(1, shapes + 1):
                added[total + count] += p / shapes
        sums = added
        for total, p in sums.items():
            law[total] += p / frames
    return law


@cache
def jigsaw(clips: int, strict: bool = False) -> float:
    """Mean reward of a random permutation: clips are (n^2 - 1) / 3n places off on average.

    0.352 for 6 clips and 0.344 for 8; the identity is one of the guesses.
    """
    if strict:
        return 1 / factorial(clips)
    return 1 - (clips**2 - 1) / 3 / (clips**2 // 2)
