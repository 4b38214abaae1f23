"""Seeded arithmetic problems with written steps and a boxed answer, in named tiers.

    >>> problem = next(problems(TIERS["easy"], seed=1, held_out=True))
    >>> problem.text, problem.answer, problem.trace  # doctest: +SKIP

Training and held-out problems are kept apart by construction: a hash of the canonical calculation
(wording and the order of summands and factors left out) decides the side a problem belongs to.
Standard library only.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b

from scripts.embedded_model.expressions import (
    Branch,
    Expression,
    Limits,
    canonical,
    grow,
    infix,
    operations,
    value_of,
)
from scripts.embedded_model.stories import tell

MOST_STEPS = 10
HELD_OUT_SHARE = 1 / 16
# How often a trace takes the second ready operation before the first: often enough that a problem
# has several solutions, seldom enough that a small model still learns to keep track.
DETOUR = 0.08


@dataclass(frozen=True)
class Tier:
    """A named distribution of problems: `steps` (fewest, most) and the size of the numbers."""

    name: str
    steps: tuple[int, int]
    limits: Limits


@dataclass(frozen=True)
class Problem:
    """A problem text, its answer (decimal integer), its tier, one correct trace and a stable id."""

    id: str
    text: str
    answer: str
    tier: str
    trace: str


TIERS = {
    tier.name: tier
    for tier in (
        Tier("easy", (2, 3), Limits(operand=99, factor=12, result=399)),
        Tier("middle", (5, 6), Limits(operand=99, factor=12, result=399)),
        Tier("hard", (5, 6), Limits(operand=499, factor=60, result=3999)),
    )
}
TRAINING_LIMITS = (
    Limits(operand=20, factor=9, result=99),
    Limits(operand=60, factor=9, result=199),
    Limits(operand=99, factor=12, result=399),
    Limits(operand=99, factor=30, result=999),
    Limits(operand=999, factor=99, result=9999),
)
# Chance of 1, 2, ... 10 steps in training: long chains are costly, and short ones teach the facts.
TRAINING_STEPS = (7, 10, 12, 13, 13, 12, 11, 9, 7, 6)
# Expressions take longer to learn to read than stories, and are read the same at any length.
STORIES = 0.55


def problems(tier: Tier, seed: int, held_out: bool) -> Iterator[Problem]:
    """Endless distinct problems of `tier` on one side of the split; same seed, same problems."""
    rng = random.Random(f"{tier.name}/{seed}/{held_out}")
    seen: set[str] = set()
    while True:
        problem = _draw(rng, tier.name, rng.randint(*tier.steps), tier.limits, held_out)
        if problem.id not in seen:
            seen.add(problem.id)
            yield problem


def training_problems(seed: int) -> Iterator[Problem]:
    """Endless training problems (never a held-out one) of 1 to 10 steps and all sizes."""
    rng = random.Random(f"training/{seed}")
    lengths = range(1, MOST_STEPS + 1)
    while True:
        steps = rng.choices(lengths, TRAINING_STEPS)[0]
        yield _draw(rng, "training", steps, rng.choice(TRAINING_LIMITS), held_out=False)


def is_held_out(expression: Expression) -> bool:
    """Whether a calculation belongs to the held-out side, whoever words it."""
    digest = blake2b(canonical(expression).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") < HELD_OUT_SHARE * 2**64


def write_trace(rng: random.Random, expression: Expression) -> str:
    """Steps in a random valid order, one equation a line, then the boxed answer."""
    waiting = operations(expression)
    lines: list[str] = []
    done: set[int] = set()
    while waiting:
        ready = [b for b in waiting if all(_known(side, done) for side in (b.left, b.right))]
        branch = ready[1] if len(ready) > 1 and rng.random() < DETOUR else ready[0]
        waiting = [b for b in waiting if b is not branch]
        done.add(id(branch))
        lines.append(
            f"Step {len(lines) + 1}: {value_of(branch.left)} {branch.symbol} "
            f"{value_of(branch.right)} = {branch.value}"
        )
    return "\n".join([*lines, f"The answer is \\boxed{{{value_of(expression)}}}."])


def _known(side: Expression, done: set[int]) -> bool:
    return not isinstance(side, Branch) or id(side) in done


def _draw(rng: random.Random, tier: str, steps: int, limits: Limits, held_out: bool) -> Problem:
    while True:
        if rng.random() < STORIES:
            text, expression = tell(rng, steps, limits)
        else:
            expression = grow(rng, steps, limits)
            text = f"What is {infix(expression)}?"
        if is_held_out(expression) == held_out:
            break
    identity = blake2b(text.encode(), digest_size=8).hexdigest()
    answer = str(value_of(expression))
    return Problem(identity, text, answer, tier, write_trace(rng, expression))
