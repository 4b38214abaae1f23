"""A population: distinct at the start, bounded afterwards, and done when nothing is left to win."""

from collections.abc import Sequence
from random import Random

from synthmill.filters.rouge import rouge_l
from synthmill.generators.cotevol.fitness import paper_fitness, ranked_fitness
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.traces import Trace
from synthmill.rewards.math_answers import parse_number


def distinct(traces: Sequence[Trace], threshold: float, rng: Random) -> list[Trace]:
    """Of every pair with ROUGE-L above `threshold` one goes, at random (section 4.1)."""
    shuffled = list(traces)
    rng.shuffle(shuffled)
    kept: list[Trace] = []
    for trace in shuffled:
        if all(rouge_l(trace.text, other.text) <= threshold for other in kept):
            kept.append(trace)
    return [trace for trace in traces if any(trace is other for other in kept)]


def fitnesses(traces: Sequence[Trace], settings: CotevolSettings) -> list[float]:
    """The fitness of each trace among the others, by the rule the settings name."""
    longest = max([trace.length for trace in traces] + [1])
    return [_fitness(trace, longest, settings) for trace in traces]


def survivors(traces: Sequence[Trace], settings: CotevolSettings) -> list[Trace]:
    """The fittest `population_size`, best first; of equals the older one.

    The paper keeps a "fixed size, preferring high fitness"; taking the first is our reading of it.
    """
    scored = sorted(zip(fitnesses(traces, settings), traces, strict=True), key=lambda p: -p[0])
    return [trace for _, trace in scored][: settings.population_size]


def converged(before: Sequence[Trace], now: Sequence[Trace]) -> bool:
    """Whether a round brought nothing: all survivors are right and the best is the same (ours)."""
    return bool(before and now) and before[0] == now[0] and all(trace.good for trace in now)


def _fitness(trace: Trace, longest: int, settings: CotevolSettings) -> float:
    if settings.fitness == "paper":
        numeric = trace.answer is not None and parse_number(trace.answer) is not None
        parses = bool(trace.answer) and trace.complete
        return paper_fitness(bool(trace.right), numeric, parses, trace.length, longest)
    # A trace that leans on a given answer must not breed as a right one.
    return ranked_fitness(trace.good, trace.well_formed, trace.length, longest, trace.confidence)
