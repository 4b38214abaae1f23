"""Expected rewards without looking at the video, computed exactly for given settings.

The best constant answer is the chance level of a row, and what `shift` takes off. A random guess,
drawn as the generator draws the truth, earns less: a constant can sit in the middle.
"""

from collections import defaultdict
from collections.abc import Mapping
from functools import cache
from math import factorial
from typing import NamedTuple

import numpy as np

from synthmill.generators.videossr.settings import SubType, VideossrSettings
from synthmill.rewards import videossr as rewards

Span = tuple[int, int]  # first frame, and the frame after the last


class ChanceLevels(NamedTuple):
    """Expected rewards: of the best fixed answer, and of an answer drawn like the truth."""

    best_constant: float
    random_guess: float


def chance_levels(sub_type: SubType, settings: VideossrSettings) -> ChanceLevels:
    """The levels of a sub-type, by its smooth or strict reward as set."""
    strict = sub_type.task in settings.strict
    if sub_type.task == "grounding":
        return _grounding(settings.sampling.frames, settings.grounding.length, strict)
    if sub_type.task == "counting":
        level = getattr(settings.counting, sub_type.variant)
        return _counting(level.frames, level.shapes, strict)
    return _jigsaw(int(sub_type.variant), strict)


@cache
def _grounding(frames: int, length: tuple[int, int], strict: bool) -> ChanceLevels:
    """Constants are tried on the grid of frames."""
    law = _span_law(frames, length)
    right, weights = np.array(list(law)), np.array(list(law.values()))

    def expected(given: Span) -> float:
        last, first = np.minimum(given[1], right[:, 1]), np.maximum(given[0], right[:, 0])
        union = np.maximum(given[1], right[:, 1]) - np.minimum(given[0], right[:, 0])
        overlap = np.maximum(last - first, 0) / union
        return float(weights @ (overlap >= rewards.STRICT_IOU if strict else overlap))

    every = ((start, end) for start in range(frames) for end in range(start + 1, frames + 1))
    guess = sum(p * expected(span) for span, p in law.items())
    return ChanceLevels(max(map(expected, every)), guess)


def _span_law(frames: int, length: tuple[int, int]) -> dict[Span, float]:
    """Probability of each span: length uniform in `length`, then start uniform where it fits."""
    low, high = length
    return {
        (start, start + size): 1 / (high - low + 1) / (frames - size + 1)
        for size in range(low, high + 1)
        for start in range(frames - size + 1)
    }


@cache
def _counting(frames: int, shapes: int, strict: bool) -> ChanceLevels:
    """The three counts of an answer follow one law."""
    law = _count_law(frames, shapes)

    def expected(given: int) -> float:
        return sum(p * _closeness(given, right, strict) for right, p in law.items())

    guess = sum(p * expected(count) for count, p in law.items())
    return ChanceLevels(max(map(expected, law)), guess)


def _count_law(frames: int, shapes: int) -> Mapping[int, float]:
    """Probability of each count of one shape: 1..`frames` frames with 1..`shapes` each."""
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


def _closeness(given: int, right: int, strict: bool) -> float:
    return float(given == right) if strict else max(0.0, 1 - abs(given - right) / right)


def _jigsaw(clips: int, strict: bool) -> ChanceLevels:
    """Of all permutations, while the identity is never the truth.

    Over all permutations clips are (n^2 - 1) / 3n places off on average. The best constant is the
    reversed order, which is the furthest from the identity: it loses nothing by its absence.
    """
    orders = factorial(clips)
    if strict:
        return ChanceLevels(1 / (orders - 1), 1 / orders)
    mean = 1 - (clips**2 - 1) / 3 / (clips**2 // 2)
    return ChanceLevels(mean * orders / (orders - 1), mean)
