"""Temporal jigsaw (section 3.4): clips of the video in a wrong order; which is the right one?

The answer is the inverse permutation: its k-th character is the label of the clip that was the
k-th originally.
"""

from random import Random

import numpy as np

from synthmill.generators.videossr.records import Clip, JigsawRecord, Sample
from synthmill.generators.videossr.settings import Jigsaw
from synthmill.sources.video.frame_statistics import Matrix
from synthmill.sources.video.reading import Frames

# One character a clip, so that the answer stays a plain string beyond nine clips (ours).
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

    `difference` is the difference of every frame of `seen` with every other. Frames that are left
    over when `count` does not divide their number are dropped at the end.
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
    """A uniformly random order of 0..count-1 that is not the right one."""
    order = list(range(count))
    while order == sorted(order):
        rng.shuffle(order)
    return order


def answer(order: list[int]) -> str:
    """The labels of the shown clips in their original order: the inverse of `order`."""
    return "".join(LABELS[order.index(place)] for place in range(len(order)))


def closest(difference: Matrix, count: int) -> float:
    """The smallest distance between two clips: 0 when one's frames are all found in the other.

    The distance of a clip from another is the mean, over its frames, of the difference from the
    most similar frame there; the smaller of both directions counts. So loops are found whatever
    their phase.
    """
    size = len(difference) // count
    blocks = difference[: count * size, : count * size].reshape(count, size, count, size)
    nearest = blocks.min(axis=3).mean(axis=1)
    return float(np.where(np.eye(count, dtype=bool), np.inf, nearest).min())


def _question(count: int, separate: bool, rng: Random) -> str:
    labels = LABELS[:count]
    # The example is a random one, or a fixed one would be what an unsure model answers.
    example = "".join(rng.sample(labels, count))
    intro = (SEPARATE if separate else SINGLE).format(n=count, labels=", ".join(labels))
    return intro + FORM.format(n=count, example=example)
