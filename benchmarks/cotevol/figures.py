"""From searches to figures: success at a budget, and how different the right traces are."""

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from benchmarks.cotevol.searches import Search
from synthmill.filters.equations import equations
from synthmill.filters.rouge import rouge_l
from synthmill.generators.cotevol.traces import split_steps

COMPARED = 12  # right traces of a problem whose pairs are compared


@dataclass(frozen=True)
class Spread:
    """Mean over seeds, and their standard deviation (None for a single seed)."""

    mean: float
    deviation: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """The spread of some values; NaN where there are none."""
        if not values:
            return cls(float("nan"), None)
        return cls(statistics.mean(values), statistics.stdev(values) if len(values) > 1 else None)

    def __str__(self) -> str:
        spread = "" if self.deviation is None else f" ± {self.deviation:.3f}"
        return f"{self.mean:.3f}{spread}"


def success(searches: Sequence[Search], tokens: float, *, sound: bool = False) -> float:
    """Share of problems with a right trace within `tokens` generated tokens; with `sound`, one
    whose written equations are all true as well."""
    hits = sum(
        any(not sound or is_sound(text) for text in _right(search, tokens)) for search in searches
    )
    return hits / len(searches)


@cache
def is_sound(text: str) -> bool:
    """Whether every equation that a trace writes down is true: it was not right by luck."""
    return all(equation.true for equation in equations(text))


def lucky(searches: Sequence[Search], tokens: float) -> float | None:
    """Share of right traces that write down a false equation. None where nothing was solved."""
    right = [text for search in searches for text in _right(search, tokens)]
    return sum(not is_sound(text) for text in right) / len(right) if right else None


def likeness(searches: Sequence[Search], tokens: float) -> float | None:
    """Mean ROUGE-L of pairs of right traces, averaged over problems with at least two distinct
    ones; lower is more diverse. None where no problem has two."""
    means = []
    for search in searches:
        texts = list(dict.fromkeys(_right(search, tokens)))[:COMPARED]
        pairs = [rouge_l(one, two) for one, two in itertools.combinations(texts, 2)]
        if pairs:
            means.append(statistics.mean(pairs))
    return statistics.mean(means) if means else None


def programs(searches: Sequence[Search], tokens: float) -> float | None:
    """Distinct solution programs a solved problem: right traces as sets of their equations,
    whatever the order of steps. None where nothing was solved."""
    counts = [len({_program(text) for text in _right(search, tokens)}) for search in searches]
    solved = [count for count in counts if count]
    return statistics.mean(solved) if solved else None


def _right(search: Search, tokens: float) -> list[str]:
    return [t.text for t in search.traces if t.right and t.spent <= tokens]


def _program(text: str) -> frozenset[str]:
    return frozenset(step.body for step in split_steps(text))
