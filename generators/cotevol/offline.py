"""Offline rules of CoTEvol: how the embedded back end answers its prompts.

The embedded language model writes solutions. Critics and evaluators are rules that read as a
careful reader without a calculator: they see which numbers a step uses and where those came
from, and where two solutions differ. They never compute, so a wrong product goes unnoticed unless
another solution has another one. And they overlook a share of what they could see, as a small
model does.
"""

import re
from collections import Counter
from dataclasses import dataclass
from random import Random

from synthmill.filters.text import Step
from synthmill.generators.cotevol.prompts import (
    Author,
    Critique,
    Evaluate,
    Evaluation,
    Guidance,
    MutateGlobal,
    MutateLocal,
    Refine,
    Solve,
)
from synthmill.generators.cotevol.traces import first_steps, split_steps
from synthmill.models.offline import Continuation, answers

# Ours: how often the reader overlooks what it could see.
OVERLOOKED = 0.15

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@answers(Solve)
@answers(MutateLocal)
@answers(MutateGlobal)
def solve(prompt: Solve | MutateLocal | MutateGlobal, rng: Random) -> Continuation:
    """The language model writes. It cannot read `MutateGlobal.previous`: only chance makes its
    solution differ."""
    return Continuation(problem=prompt.problem)


@answers(Author)
def author(prompt: Author, rng: Random) -> Continuation:
    """The language model continues the kept steps, which the rule copies unless they are sent."""
    return Continuation(problem=prompt.problem, prefix="" if prompt.begun else prompt.kept)


@answers(Refine)
def refine(prompt: Refine, rng: Random) -> Continuation:
    """The language model continues from the first doubtful step of the draft, or from any."""
    count = len(split_steps(prompt.draft))
    if not count:
        return Continuation(problem=prompt.problem)
    fault = doubtful_step(prompt.problem, prompt.draft, rng)
    kept = rng.randrange(count) if fault is None else fault
    return Continuation(problem=prompt.problem, prefix=first_steps(prompt.draft, kept))


@answers(Critique)
def critique(prompt: Critique, rng: Random) -> Guidance:
    """Keep the steps that the better solution has before the two differ."""
    use_second = bool(prompt.second_right) and not prompt.first_right
    kept, other = (prompt.second, prompt.first) if use_second else (prompt.first, prompt.second)
    fault = _fault(prompt, kept, other, rng)
    return Guidance(
        intermediate_result=last_result(kept, fault),
        guidance_summary=f"Redo step {fault + 1}.",
        keep="second" if use_second else "first",
        keep_steps=fault,
    )


@answers(Evaluate)
def evaluate(prompt: Evaluate, rng: Random) -> Evaluation:
    """A solution without a doubtful step seems right; its arithmetic is not checked."""
    seems_right = doubtful_step(prompt.problem, prompt.solution, rng) is None
    if rng.random() < OVERLOOKED:
        seems_right = not seems_right
    return Evaluation(score=0.8 if seems_right else 0.2)


def _fault(prompt: Critique, kept: str, other: str, rng: Random) -> int:
    if prompt.case in ("failure pattern summary", "unlabelled"):
        found = [doubtful_step(prompt.problem, kept, rng), contradicted_step(kept, other)]
        seen = [step for step in found if step is not None]
        if seen:
            return min(seen)
    return first_different_step(kept, other)


@dataclass(frozen=True)
class StepEquation:
    """A step read as "left = right": the numbers it uses, and its result (None: no "=")."""

    left: str
    used: tuple[str, ...]
    result: str | None

    @classmethod
    def of(cls, step: Step) -> "StepEquation":
        """The equation of a step; text without a number on the right has no result."""
        line = step.body.partition("\n")[0]
        left, equals, right = line.rpartition("=")
        numbers = _NUMBER.findall(right)
        if not equals or not numbers:
            return cls(line.strip(), tuple(_NUMBER.findall(line)), None)
        return cls(left.strip(), tuple(_NUMBER.findall(left)), numbers[-1])


def doubtful_step(problem: str, solution: str, rng: Random) -> int | None:
    """The first step (from 0) that uses a number that was not given; None where all seems in order.

    A number comes from the problem, each mention once, or from an earlier step's result. Where
    the steps leave a number of the problem unused, the last one is doubtful.
    """
    equations = [StepEquation.of(step) for step in split_steps(solution)]
    known = Counter(_NUMBER.findall(problem))
    for index, equation in enumerate(equations):
        short = Counter(equation.used) - known
        if short and rng.random() > OVERLOOKED:
            return index
        known -= Counter(equation.used)
        if equation.result is not None:
            known[equation.result] += 1
    # One result is left at the end; anything more was forgotten on the way.
    if equations and known.total() > 1 and rng.random() > OVERLOOKED:
        return len(equations) - 1
    return None


def contradicted_step(solution: str, other: str) -> int | None:
    """The first step (from 0) for which the other solution has the same left side, but another
    result."""
    results = {e.left: e.result for e in map(StepEquation.of, split_steps(other))}
    for index, equation in enumerate(map(StepEquation.of, split_steps(solution))):
        if results.get(equation.left, equation.result) != equation.result:
            return index
    return None


def first_different_step(solution: str, other: str) -> int:
    """The first step (from 0) of a solution that is not in the other one."""
    found = {step.body for step in split_steps(other)}
    steps = split_steps(solution)
    return next((i for i, step in enumerate(steps) if step.body not in found), len(steps))


def last_result(solution: str, count: int) -> str:
    """The result of the last of the first `count` steps, or "" where there is none."""
    made = [StepEquation.of(step).result for step in split_steps(solution)[:count]]
    return next((value for value in reversed(made) if value is not None), "")
