"""Reading short answers by rule: numbers as exact fractions, everything else as tidy text.

What these rules settle never needs a computer algebra system; what they cannot settle, they leave
open and say so.
"""

import re
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

# Ours: a decimal with at least this many digits behind the point may stand for a fraction that it
# rounds (.33333 for 1/3); with fewer, 0.33 would pass for 1/3.
ROUNDED_DIGITS = 4
# Ours: text of a model may be anything, and reading it must stay cheap.
LONGEST_NUMBER = 200
DEEPEST_WRAPPING = 4

_SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
_UNSIGNED = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?|\.\d+"
_FRACTION = re.compile(r"([+-]?)\\frac\{?([+-]?\d+)\}?\{?([+-]?\d+)\}?|([+-]?\d+)/([+-]?\d+)")
_NUMBER = re.compile(
    rf"([+-]?)\$?({_UNSIGNED})(?:(?:e|\\times10\^|\\cdot10\^)\{{?([+-]?\d{{1,3}})\}}?)?"
    rf"({'|'.join(_SCALES)})?(%|percent)?",
    re.I,
)
_WRAPPED = re.compile(r"\\(?:text|mathrm|mathbf|textbf|textit|mbox|boxed)\s*\{([^{}]*)\}")
_NOISE = re.compile(r"\\left|\\right|\\displaystyle|\\[!,;: ]|\\quad|~|\*\*")
_CHOICE = re.compile(r"(?:option|choice|answer)?\s*[(\[]?\s*([A-Z])\s*[)\].:]?", re.I)
_WORDS = re.compile(r"[^\W\d_]+(?:[ '\-][^\W\d_]+)*")
# A relation that opens an answer ("less than 7"), or a negation anywhere in it.
_BOUND = re.compile(
    r"(?:\\(?:[lg](?:t|eq?|eqslant)|neq?|neg|lnot)(?![a-z])|[<>\u2260\u2264\u2265]).*"
    r"|.*\\not(?![a-z]).*",
    re.I | re.DOTALL,
)
# Letters in a row that are mathematics and no word.
_FUNCTIONS = ("sin", "cos", "tan", "log", "exp", "sqrt", "frac", "pi", "ln", "inf")


class Number(NamedTuple):
    """An exact value, and how it was written: `decimals` digits behind the point, or a fraction."""

    value: Fraction
    decimals: int = 0
    fraction: bool = False
    percent: bool = False


def tidy(text: str) -> str:
    """An answer without what carries no meaning: `$`, boxes, text commands, spacing, final dot."""
    text = text.strip().replace("\\$", "$").replace("\\%", "%").replace("{,}", ",")
    for opening, closing in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
        if text.startswith(opening) and text.endswith(closing) and len(text) > len(opening):
            text = text[len(opening) : -len(closing)]
            break
    text = _NOISE.sub(" ", text)
    for _ in range(DEEPEST_WRAPPING):
        text = _WRAPPED.sub(r" \1 ", text)
    text = (
        re.sub(r"\\[dt]frac", r"\\frac", text).replace("\u2212", "-").replace("\u00d7", "\\times")
    )
    return " ".join(text.split()).rstrip(".,;:").rstrip()


def number(text: str) -> Number | None:
    """The number that an answer is, or None: also `1,000`, `1 million`, `3.2e5`, `50%`, `2/3`."""
    return _number(text) if len(text) <= LONGEST_NUMBER else None


@lru_cache(maxsize=2**16)  # traces repeat their numbers again and again
def _number(text: str) -> Number | None:
    if text.isascii() and text.removeprefix("-").isdigit():
        return Number(Fraction(int(text)))
    packed = tidy(text).replace(" ", "")
    if fraction := _FRACTION.fullmatch(packed):
        sign, upper, lower, plain_upper, plain_lower = fraction.groups()
        below = int(lower or plain_lower)
        if below == 0:
            return None
        value = Fraction(int(upper or plain_upper), below)
        return Number(-value if sign == "-" else value, fraction=True)
    found = _NUMBER.fullmatch(packed)
    if found is None:
        return None
    sign, digits, exponent, scale, percent = found.groups()
    value = Fraction(digits.replace(",", "").rstrip(".") or "0")
    value *= Fraction(10) ** (int(exponent or 0) + _SCALES.get((scale or "").lower(), 0))
    decimals = len(digits.partition(".")[2])
    return Number(-value if sign == "-" else value, decimals, percent=bool(percent))


def choice(text: str) -> str | None:
    """The letter of a multiple-choice answer: `A`, `(A)`, `A.`, `option a` are all "A"."""
    found = _CHOICE.fullmatch(tidy(text))
    return found.group(1).upper() if found else None


def words(text: str) -> str | None:
    """The answer in lower case where it is plain words (a name, "no solution"), else None."""
    plain = tidy(text)
    if not _WORDS.fullmatch(plain) or len(max(re.split(r"[ '\-]", plain), key=len)) < 3:
        return None
    return None if plain.lower().startswith(_FUNCTIONS) and " " not in plain else plain.lower()


def equal_by_rule(truth: str, said: str) -> bool | None:
    """Whether two answers are the same, or None where rules cannot tell.

    Numbers are compared exactly (and `50%` equals both 0.5 and 50: the sign may be a unit), a
    long decimal also with the fraction it rounds; letters and words as such: a computer algebra
    system would read "silent" and "listen" as equal products. What is less than 7, or not 7, is
    not 7 either.
    """
    if tidy(truth) == tidy(said) != "":
        return True
    numbers = number(truth), number(said)
    if numbers[0] and numbers[1]:
        return _same_number(numbers[0], numbers[1])
    for read in (choice, words):
        left, right = read(truth), read(said)
        if left and right:
            return left == right
    if any(map(words, (truth, said))) and (any(numbers) or any(map(choice, (truth, said)))):
        return False  # a word is neither a number nor a letter
    if bool(_BOUND.fullmatch(tidy(truth))) != bool(_BOUND.fullmatch(tidy(said))):
        return False  # math-verify reads over an opening relation, and over `\not`
    return None


def _same_number(left: Number, right: Number) -> bool:
    if left.value == right.value:
        return True
    if left.percent != right.percent:
        percent, other = (left, right) if left.percent else (right, left)
        return percent.value / 100 == other.value
    if left.fraction == right.fraction:
        return False
    exact, decimal = (left, right) if left.fraction else (right, left)
    return decimal.decimals >= ROUNDED_DIGITS and rounds(
        exact.value, decimal.value, decimal.decimals
    )


def rounds(exact: Fraction, decimal: Fraction, digits: int) -> bool:
    """Whether a decimal with `digits` places is an exact value rounded, or cut off."""
    beyond = (exact - decimal) * 10**digits * (1 if exact >= 0 else -1)
    return Fraction(-1, 2) <= beyond < 1
