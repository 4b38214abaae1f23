"""Equations between plain numbers in a text, and whether they are true.

Only certain cases are read: a side with a letter, a unit, a percent sign or anything else that is
no number, operator or bracket is skipped, and so is what can be read in two ways.
"""

import ast
import operator
import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from synthmill.filters.text import STEP_HEADER

# Ours: longer sides and greater powers are rare, and the bounds keep the work linear in the text.
REACH = 80  # characters of a side
MOST_POWER = 64
MOST_DIGITS = 12  # of a base that is raised to a power

_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-"})
_LATEX = ((r"\times", "*"), (r"\cdot", "*"), (r"\div", "/"), (r"\,", ""), (r"\!", ""))
_BEFORE = re.compile(r"[\d\s.,+\-*/()×·÷−^]*\Z")
_AFTER = re.compile(r"[ \t\d.,+\-*/()×·÷−^]*")
_PAUSE = re.compile(r"[.,](?=\s|\Z)|\n")
_THOUSANDS = re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)")
# Words that belong to the calculation after them; any single letter may as well.
_WORD = re.compile(r"([A-Za-z]+)\s+\Z")
_TAKING_PART = {"times", "plus", "minus", "over", "by", "of", "than", "log", "ln", "lg", "exp"}
_TAKING_PART |= {"sin", "cos", "tan", "sqrt", "root", "max", "min", "gcd", "lcm", "mod"}
# What changes the meaning of the number before it, also after a pause; and what does so directly.
_MEANT_OTHERWISE = re.compile(
    r"[\s.,]*(?:\(?(?:remainder|rem\b|r\b|mod\b|in base|base)|o'clock)", re.I
)
_GOES_ON = re.compile(r"\s*(?:or\b|to\b|and\b|%|\\|/)", re.I)
_LITERAL = re.compile(r"-?\d+\.(\d+)")
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class Equation(NamedTuple):
    """Two sides as they are written, the value of the left one, and whether they are equal.

    A right side that is a decimal number may be rounded at its last digit.
    """

    left: str
    right: str
    value: Fraction
    true: bool


def equations(text: str) -> Iterator[Equation]:
    """The certain equations of a text, in order."""
    for name, plain in _LATEX:
        text = text.replace(name, plain)
    text = STEP_HEADER.sub("\n", text)
    for sign in re.finditer("(?<![<>=!≠])=(?![=<>])", text):
        left, right = _left(text, sign.start()), _right(text, sign.end())
        if left is None or right is None:
            continue
        value, other = _value(left), _value(right)
        computes = any(_has_operator(side) for side in (left, right))
        if value is not None and other is not None and computes:
            yield Equation(left, right, value, _equal(value, other, right))


def _left(text: str, end: int) -> str | None:
    """The left side, which ends at `end`; None where its beginning is unclear."""
    found = _BEFORE.search(text, max(0, end - REACH), end)
    side = found.group() if found else ""
    start = end - len(side)
    if start <= end - REACH:
        return None
    pauses = list(_PAUSE.finditer(side))
    if pauses:
        return side[pauses[-1].end() :].strip()
    side = side.lstrip()
    before = text[max(0, end - len(side) - REACH) : end - len(side)]
    word = _WORD.search(before)
    if word and (len(word[1]) == 1 or word[1].lower() in _TAKING_PART):
        return None
    return None if re.search(r"[\w%\\}\]!']\Z", before) else side.strip()


def _right(text: str, start: int) -> str | None:
    """The right side, which begins at `start`; None where its end is unclear."""
    found = _AFTER.match(text, start, start + REACH)
    side = found.group() if found else ""
    if len(side) == REACH:
        return None
    pause = _PAUSE.search(side)
    if pause:
        side = side[: pause.start()]
    end = start + len(side)
    after = text[end : end + 20]
    touches = bool(side) and not side[-1].isspace() and bool(after) and after[0].isalnum()
    goes_on = pause is None and _GOES_ON.match(after)
    if touches or goes_on or _MEANT_OTHERWISE.match(after):
        return None
    return side.strip().rstrip(".,")


def _has_operator(side: str) -> bool:
    return re.search(r"[\d)]\s*[+\-*/×·÷−^]", side) is not None


def _value(side: str) -> Fraction | None:
    """The value of a side; None where it is not plain arithmetic."""
    spelled = _THOUSANDS.sub(lambda number: number.group().replace(",", ""), side)
    spelled = spelled.replace("^", "**").translate(_SIGNS)
    if not spelled or "," in spelled or "//" in spelled:
        return None
    try:
        return _computed(ast.parse(spelled, mode="eval").body, spelled)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError, MemoryError):
        return None


def _computed(node: ast.expr, text: str) -> Fraction:
    """The value of a parsed side. Raises ValueError for anything but arithmetic."""
    match node:
        case ast.Constant():
            # The digits as written: 0.1 is a tenth, not the nearest float.
            return Fraction(Decimal(ast.get_source_segment(text, node) or ""))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_computed(operand, text)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            return _power(_computed(left, text), _computed(right, text))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            compute = _OPERATORS[type(sign)]
            return Fraction(compute(_computed(left, text), _computed(right, text)))
    raise ValueError("not arithmetic")


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    digits = len(str(max(abs(base.numerator), base.denominator)))
    if exponent.denominator != 1 or abs(exponent) > MOST_POWER or digits > MOST_DIGITS:
        raise ValueError("power out of bounds")
    return Fraction(base ** int(exponent))


def _equal(value: Fraction, other: Fraction, right: str) -> bool:
    decimals = _LITERAL.fullmatch(right.replace(",", ""))
    slack = Fraction(1, 2 * 10 ** len(decimals[1])) if decimals else Fraction(0)
    return abs(value - other) <= slack
