"""How good a trace is: the paper's fitness (arXiv 2604.14768, eq. 1-2) and our ranking.

The paper adds accuracy, format and length. A long trace with a wrong number then ties with the
longest right one (.5 + .5 + 1 against 1 + .5 + .5) and outranks a right one without a box, so we
rank by right, then format, then the rest, and keep the sum for the preset `paper`.
"""

import math

# Eq. 1: the parts of the sum.
ACCURACY_RIGHT = 1.0
ACCURACY_NUMERIC = 0.5  # "numerically interpretable but wrong"
FORMAT_PARSES = 0.5
# Eq. 2: value of the length term for the shortest and for the longest trace.
RIGHT_SHORT, RIGHT_LONG = 1.0, 0.5
WRONG_SHORT, WRONG_LONG = 0.5, 1.0


def accuracy_reward(right: bool, numeric: bool) -> float:
    """R_ac of eq. 1: 1 for a right answer, .5 for a wrong one that reads as a number, else 0."""
    if right:
        return ACCURACY_RIGHT
    return ACCURACY_NUMERIC if numeric else 0.0


def format_reward(parses: bool) -> float:
    """R_fmt of eq. 1: .5 where the boxed answer parses."""
    return FORMAT_PARSES if parses else 0.0


def length_reward(right: bool, length: int, longest: int) -> float:
    """R_len, eq. 2: from short to long along half a cosine, down if right and up if wrong.

    `length` and `longest` (the longest trace of the population) are in tokens.

    Raises:
        ValueError: not 0 <= length <= longest, or longest is 0.
    """
    if not 0 <= length <= longest or longest == 0:
        raise ValueError(f"length {length} is not within 0 and the longest, {longest}")
    short, long = (RIGHT_SHORT, RIGHT_LONG) if right else (WRONG_SHORT, WRONG_LONG)
    return long + 0.5 * (short - long) * (1 + math.cos(math.pi * length / longest))


def paper_fitness(right: bool, numeric: bool, parses: bool, length: int, longest: int) -> float:
    """R = R_ac + R_fmt + R_len (eq. 1), between .5 and 2.5."""
    return (
        accuracy_reward(right, numeric)
        + format_reward(parses)
        + length_reward(right, length, longest)
    )


def ranked_fitness(
    right: bool, parses: bool, length: int, longest: int, confidence: float | None = None
) -> float:
    """Our fitness, in [0, 4): the order is right, then format, then the last term.

    2 for a right answer, 1 for a box that parses, and below 1 for the rest: right traces are
    better when short; of a wrong one its length says nothing, so there the model's confidence
    counts (`confidence`, the mean token probability in [0, 1]; .5 where unknown).
    """
    if right:
        # Ranges over [0, 1): eq. 2 moved down by its least value and stretched.
        last = 2 * (length_reward(True, length, longest) - RIGHT_LONG)
    else:
        last = 0.5 if confidence is None else confidence
    return 2.0 * right + 1.0 * parses + min(last, math.nextafter(1.0, 0.0))
