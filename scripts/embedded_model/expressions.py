"""Arithmetic expression trees: random growth, exact value, infix text, canonical form.

All numbers are non-negative integers; every division is exact. Standard library only.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property

PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2}
SYMBOLS = tuple(PRECEDENCE)
LARGEST_DIVISOR = 9


@dataclass(frozen=True)
class Limits:
    """Size of the numbers in an expression: what makes a single step easy or hard.

    `operand` bounds added and subtracted leaves, `factor` multiplied leaves, `result` every value.
    """

    operand: int
    factor: int
    result: int


@dataclass(frozen=True)
class Branch:
    """One operation on two expressions; `value` is its exact result."""

    symbol: str
    left: Expression
    right: Expression

    @cached_property
    def value(self) -> int:
        """The result (int). Raises ValueError for a negative difference or an inexact quotient."""
        return apply(self.symbol, value_of(self.left), value_of(self.right))


Expression = int | Branch


def apply(symbol: str, left: int, right: int) -> int:
    """`left symbol right` within the non-negative integers; ValueError where that has no value."""
    if symbol == "+":
        return left + right
    if symbol == "*":
        return left * right
    if symbol == "-" and left >= right:
        return left - right
    if symbol == "/" and right and left % right == 0:
        return left // right
    raise ValueError(f"{left} {symbol} {right} is not a non-negative integer")


def value_of(expression: Expression) -> int:
    """The value of a leaf or a branch."""
    return expression if isinstance(expression, int) else expression.value


def operations(expression: Expression) -> list[Branch]:
    """All branches, each after the branches it needs (post-order, left to right)."""
    if isinstance(expression, int):
        return []
    return [*operations(expression.left), *operations(expression.right), expression]


def infix(expression: Expression) -> str:
    """Text with the fewest parentheses that still parses back to this very tree."""
    if isinstance(expression, int):
        return str(expression)
    rank = PRECEDENCE[expression.symbol]
    left, right = infix(expression.left), infix(expression.right)
    if isinstance(expression.left, Branch) and PRECEDENCE[expression.left.symbol] < rank:
        left = f"({left})"
    if isinstance(expression.right, Branch) and PRECEDENCE[expression.right.symbol] <= rank:
        right = f"({right})"
    return f"{left} {expression.symbol} {right}"


def canonical(expression: Expression) -> str:
    """Text shared by all trees that differ only in the order of summands and factors."""
    if isinstance(expression, int):
        return str(expression)
    sides = [canonical(expression.left), canonical(expression.right)]
    if expression.symbol in "+*":
        sides.sort()
    return f"({sides[0]}{expression.symbol}{sides[1]})"


def grow(rng: random.Random, size: int, limits: Limits) -> Expression:
    """A random expression of exactly `size` operations; every value stays within `limits`."""
    while True:
        try:
            return _grow(rng, size, limits)
        except _DeadEnd:
            continue


class _DeadEnd(Exception):
    """Two sub-results that no operation can join within the limits."""


def _grow(rng: random.Random, size: int, limits: Limits) -> Expression:
    if size == 0:
        return rng.randint(1, limits.operand)
    if size == 1:
        return _pair(rng, limits)
    # Mostly chains with a few side branches, as people write them; balanced trees are rare.
    side = 0 if rng.random() < 0.7 else rng.randint(1, max(1, (size - 1) // 2))
    main = _grow(rng, size - 1 - side, limits)
    if side:
        return join(rng, main, _grow(rng, side, limits), limits)
    return extend(rng, main, limits)


def _pair(rng: random.Random, limits: Limits) -> Branch:
    symbol = rng.choice("+-**")
    if symbol == "*":
        left = rng.randint(2, limits.factor)
        return Branch("*", left, rng.randint(2, max(2, min(limits.factor, limits.result // left))))
    small, large = sorted(rng.sample(range(1, limits.operand + 1), 2))
    return Branch("-", large, small) if symbol == "-" else Branch("+", large, small)


def extend(rng: random.Random, main: Expression, limits: Limits, symbols: str = "+-*/") -> Branch:
    """`main` joined with one new leaf by one of `symbols` that fits the limits (else _DeadEnd)."""
    value = value_of(main)
    choices: list[Branch] = []
    for symbol in symbols:
        if symbol == "+" and value < limits.result:
            leaf = rng.randint(1, min(limits.operand, limits.result - value))
            choices.append(Branch("+", *_either_way(rng, main, leaf)))
        elif symbol == "-" and value > 1:
            choices.append(Branch("-", main, rng.randint(1, min(limits.operand, value - 1))))
        elif symbol == "*" and 1 < value <= limits.result // 2:
            leaf = rng.randint(2, min(limits.factor, limits.result // value))
            choices.append(Branch("*", *_either_way(rng, main, leaf)))
        elif symbol == "/":
            divisors = [d for d in range(2, LARGEST_DIVISOR + 1) if value > d and value % d == 0]
            if divisors:
                choices.append(Branch("/", main, rng.choice(divisors)))
    if not choices:
        raise _DeadEnd
    return rng.choice(choices)


def join(
    rng: random.Random, main: Expression, side: Expression, limits: Limits, symbols: str = "+-*"
) -> Branch:
    """Two sub-results joined by one of `symbols` that fits the limits (else _DeadEnd)."""
    first, second = value_of(main), value_of(side)
    choices: list[Branch] = []
    if "+" in symbols and first + second <= limits.result:
        choices.append(Branch("+", main, side))
    if "-" in symbols and first != second:
        choices.append(Branch("-", main, side) if first > second else Branch("-", side, main))
    if "*" in symbols and min(first, second) > 1 and first * second <= limits.result:
        choices.append(Branch("*", main, side))
    if not choices:
        raise _DeadEnd
    return rng.choice(choices)


def _either_way(rng: random.Random, main: Expression, leaf: int) -> tuple[Expression, Expression]:
    return (main, leaf) if rng.random() < 0.8 else (leaf, main)
