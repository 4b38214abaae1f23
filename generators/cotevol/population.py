"""Fitness, selection and survival of traces (arXiv 2604.14768, eq. 1-2, sections 3.4 and 4.1).

The paper's fitness adds accuracy, format and length. A long trace with a wrong number then ties
with the longest right one (.5 + .5 + 1 against 1 + .5 + .5) and outranks a right one without a box,
so we rank by right, then format, then the rest, and keep the sum for the preset `paper`.
"""

import math
from collections.abc import Sequence
from random import Random
from typing import TypeVar

from synthmill.filters.rouge import rouge_l
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.traces import Trace
from synthmill.rewards.math_answers import parse_number

T = TypeVar("T")

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
    """Our fitness, in [0, 4): ordered by right, then format, then a term below 1.

    2 for a right answer and 1 for a box that parses. The last term prefers short right traces. The
    length of a wrong trace means nothing, so there it is the model's confidence (the mean token
    probability in [0, 1]; .5 where unknown).
    """
    if right:
        # Eq. 2 moved down by its least value and stretched to [0, 1).
        last = 2 * (length_reward(True, length, longest) - RIGHT_LONG)
    else:
        last = 0.5 if confidence is None else confidence
    return 2.0 * right + 1.0 * parses + min(last, math.nextafter(1.0, 0.0))


def fitnesses(traces: Sequence[Trace], settings: CotevolSettings) -> list[float]:
    """The fitness of each trace among the others, by the rule that the settings name."""
    longest = max([trace.length for trace in traces] + [1])
    return [_fitness(trace, longest, settings) for trace in traces]


def boltzmann(fitness: Sequence[float], temperature: float = 1.0) -> list[float]:
    """Softmax of the fitness values at `temperature` (section 3.4); the probabilities sum to 1.

    The paper's "Boltzmann tournament" has no stated temperature, which reads as 1.

    Raises:
        ValueError: the temperature is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"the temperature of selection must be positive, not {temperature}")
    highest = max(fitness, default=0.0)
    weights = [math.exp((value - highest) / temperature) for value in fitness]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def sample_without_replacement(
    rng: Random, items: Sequence[T], weights: Sequence[float], count: int
) -> list[T]:
    """`count` items (or all, where there are fewer) drawn by weight.

    Without replacement is ours: the paper leaves it open, and crossing a trace with itself gives
    nothing new.
    """
    left, chosen = list(range(len(items))), list[T]()
    while left and len(chosen) < count:
        shares = [weights[i] for i in left]
        if sum(shares) <= 0:
            shares = [1.0] * len(left)
        index = rng.choices(left, shares)[0]
        left.remove(index)
        chosen.append(items[index])
    return chosen


def distinct(traces: Sequence[Trace], threshold: float, rng: Random) -> list[Trace]:
    """Of every pair with ROUGE-L above `threshold`, one is removed at random (section 4.1)."""
    shuffled = list(traces)
    rng.shuffle(shuffled)
    kept: list[Trace] = []
    for trace in shuffled:
        if all(rouge_l(trace.text, other.text) <= threshold for other in kept):
            kept.append(trace)
    return [trace for trace in traces if any(trace is other for other in kept)]


def survivors(traces: Sequence[Trace], settings: CotevolSettings) -> list[Trace]:
    """The fittest `population_size`, best first; of equals the older one.

    The paper keeps a "fixed size, preferring high fitness"; taking the first is our reading of it.
    """
    scored = sorted(zip(fitnesses(traces, settings), traces, strict=True), key=lambda p: -p[0])
    return [trace for _, trace in scored][: settings.population_size]


def converged(before: Sequence[Trace], now: Sequence[Trace]) -> bool:
    """Whether a round changed nothing: all survivors are right and the best stayed (ours)."""
    return bool(before and now) and before[0] == now[0] and all(trace.good for trace in now)


def _fitness(trace: Trace, longest: int, settings: CotevolSettings) -> float:
    if settings.fitness == "paper":
        numeric = trace.answer is not None and parse_number(trace.answer) is not None
        parses = bool(trace.answer) and trace.complete
        return paper_fitness(bool(trace.right), numeric, parses, trace.length, longest)
    # A trace that was given its answer must not be a parent of right ones.
    return ranked_fitness(trace.good, trace.well_formed, trace.length, longest, trace.confidence)
