"""Temporal jigsaw (section 3.4): the clips of a video are shuffled; what is the right order?

The answer is the inverse permutation: its k-th character is the label of the clip that was
k-th in the original.
"""

from random import Random

import numpy as np

from synthmill.generators.videossr.records import Clip, JigsawRecord, Sample
from synthmill.generators.videossr.settings import Jigsaw
from synthmill.sources.video.frame_statistics import Matrix
from synthmill.sources.video.reading import Frames

# One character per clip, so that the answer is a plain string beyond nine clips too (ours).
LABELS = "123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

SEPARATE = (
    "These {n} clips were cut from one video and shown in a wrong order. What is the right order? "
)
SINGLE = (
    "This video was cut into {n} clips of the same length, which are shown in a wrong order. Call "
    "them {labels} in the order in which they are shown. What is the right order? "
)
FORM = (
    "Answer with the labels of the clips from the first to the last, as one string of {n} "
    "characters and nothing else, for example {example}."
)


def build(
    count: int, seen: Frames, difference: Matrix, step_ms: int, settings: Jigsaw, rng: Random
) -> Sample:
    """The sample, with a measure of how different its clips are.

    `difference` holds the difference between every two frames of `seen`. Frames at the end that
    do not fill a clip are dropped.
    """
    size = len(seen.pixels) // count
    order = shuffled(count, rng)
    parts = [tuple(range(place * size, (place + 1) * size)) for place in order]
    separate = settings.presentation == "separate"
    clips = tuple(map(Clip, parts)) if separate else (Clip(sum(parts, ())),)
    distance = closest(difference, count)
    return Sample(
        seen=seen,
        clips=clips,
        step_ms=step_ms,
        question=_question(count, separate, rng),
        answer=answer(order),
        record=JigsawRecord(
            clips=count,
            frames=size,
            presentation=settings.presentation,
            order=order,
            distance=round(distance, 4),
        ),
    )


def shuffled(count: int, rng: Random) -> list[int]:
    """A random permutation of 0..count-1, uniform over all but the identity."""
    order = list(range(count))
    while order == sorted(order):
        rng.shuffle(order)
    return order


def answer(order: list[int]) -> str:
    """The labels of the shown clips in their original order: the inverse of `order`."""
    return "".join(LABELS[order.index(place)] for place in range(len(order)))


def closest(difference: Matrix, count: int) -> float:
    """The smallest distance between two clips: 0 if all frames of one occur in the other.

    The distance of a clip from another is the mean, over its frames, of the difference from the
    most similar frame there; the smaller of both directions counts. So a loop is found at any
    phase.
    """
    size = len(difference) // count
    blocks = difference[: count * size, : count * size].reshape(count, size, count, size)
    nearest = blocks.min(axis=3).mean(axis=1)
    return float(np.where(np.eye(count, dtype=bool), np.inf, nearest).min())


def _question(count: int, separate: bool, rng: Random) -> str:
    labels = LABELS[:count]
    # Random, because an unsure model would learn to answer with a fixed example.
    example = "".join(rng.sample(labels, count))
    intro = (SEPARATE if separate else SINGLE).format(n=count, labels=", ".join(labels))
    return intro + FORM.format(n=count, example=example)
