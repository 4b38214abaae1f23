"""How the embedded back end reads solutions: as a careful reader without a calculator.

It sees which numbers a step takes and where they came from, and where two solutions differ. It
never computes, so a wrong product goes unnoticed unless another solution has another one. And it
overlooks a share of what it could see, as a small model does.
"""

import re
from collections import Counter
from dataclasses import dataclass
from random import Random

from synthmill.generators.cotevol.traces import Step, split_steps

# Ours: how often the reader overlooks what it could see.
OVERLOOKED = 0.15

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Equation:
    """A step read as "left = right": the numbers it takes, and the one it makes (None: no "=")."""

    left: str
    taken: tuple[str, ...]
    made: str | None

    @classmethod
    def of(cls, step: Step) -> "Equation":
        """What a step says; text without a number on the right makes nothing."""
        line = step.body.partition("\n")[0]
        left, equals, right = line.rpartition("=")
        numbers = _NUMBER.findall(right)
        if not equals or not numbers:
            return cls(line.strip(), tuple(_NUMBER.findall(line)), None)
        return cls(left.strip(), tuple(_NUMBER.findall(left)), numbers[-1])


def doubtful_step(problem: str, solution: str, rng: Random) -> int | None:
    """The first step (from 0) that takes a number from nowhere; None where all seems in order.

    A number comes from the problem, each mention once, or from an earlier step's result. Where
    the steps leave a number of the problem unused, the last one is doubtful.
    """
    equations = [Equation.of(step) for step in split_steps(solution)]
    known = Counter(_NUMBER.findall(problem))
    for index, equation in enumerate(equations):
        short = Counter(equation.taken) - known
        if short and rng.random() > OVERLOOKED:
            return index
        known -= Counter(equation.taken)
        if equation.made is not None:
            known[equation.made] += 1
    # One result is left at the end; anything more was forgotten on the way.
    if equations and known.total() > 1 and rng.random() > OVERLOOKED:
        return len(equations) - 1
    return None


def contradicted_step(solution: str, other: str) -> int | None:
    """The first step (from 0) for which the other solution has the same left side, but another
    result."""
    results = {e.left: e.made for e in map(Equation.of, split_steps(other))}
    for index, equation in enumerate(map(Equation.of, split_steps(solution))):
        if results.get(equation.left, equation.made) != equation.made:
            return index
    return None


def parting_step(solution: str, other: str) -> int:
    """The first step (from 0) of a solution that does not stand in the other one."""
    found = {step.body for step in split_steps(other)}
    steps = split_steps(solution)
    return next((i for i, step in enumerate(steps) if step.body not in found), len(steps))


def first_steps(solution: str, count: int) -> str:
    """The text of the first `count` steps, with the line end behind them."""
    steps = split_steps(solution)
    count = max(0, min(count, len(steps)))
    return solution[: steps[count].start] if count < len(steps) else solution[: steps[-1].end]


def last_result(solution: str, count: int) -> str:
    """What the last of the first `count` steps made, or "" where nothing was made."""
    made = [Equation.of(step).made for step in split_steps(solution)[:count]]
    return next((value for value in reversed(made) if value is not None), "")
