"""Final answers of solutions: finding them, reading them, and whether two are the same.

This file works alone: standard library only, and math-verify (sympy) where rules cannot decide, if
it is installed. Copy it anywhere and use it as

* a verl custom reward function: ``custom_reward_function.path=math_answers.py``
  ``custom_reward_function.name=compute_score``
* a TRL or ms-swift reward function: `trl_reward` (columns `ground_truth` or `solution`)

Rules settle numbers (as exact fractions), words and letters of choices in microseconds; what they
cannot settle, they leave open and say so (`equal_by_rule`).
"""

import logging
import re
import threading
from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

# Ours: a decimal with at least this many digits after the point may represent a fraction that it
# rounds (.33333 for 1/3); with fewer, 0.33 would pass for 1/3.
ROUNDED_DIGITS = 4
# Ours: text of a model may be anything, and reading it must stay cheap.
LONGEST_NUMBER = 200
LONGEST_ANSWER = 2000  # a longer text is no answer; it equals nothing but itself
DEEPEST_WRAPPING = 4
SECONDS = 5  # ours: what math-verify may take inside a trainer (its own default)

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
# Letters in a row that are mathematics and not a word.
_FUNCTIONS = ("sin", "cos", "tan", "log", "exp", "sqrt", "frac", "pi", "ln", "inf")
_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_MARK = re.compile(r"(?:####|\banswer(?:[ \t]+is\b|[ \t]*:))[ \t*:]*(\S.*)", re.I)


class Box(NamedTuple):
    r"""A `\boxed{...}` in a text; `content` is None where its brace never closes."""

    content: str | None
    start: int
    end: int


class Number(NamedTuple):
    """An exact value, and how it was written: `decimals` digits after the point, or a fraction."""

    value: Fraction
    decimals: int = 0
    fraction: bool = False
    percent: bool = False


class Undecidable(Exception):
    """Two answers that cannot be compared; the message is a short phrase."""


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> float:
    """1.0 where the stated answer of a response is the true one, else 0.0; verl calls it.

    `data_source` is not read. `extra_info` may hold `boxed_only` (a bool). Expressions, sets,
    intervals and matrices need math-verify; without it, or where it gives up, they score 0. It has
    `SECONDS` for each step in a main thread; in other threads an alarm is impossible, and nothing
    limits it: use processes there.
    """
    said = stated_answer(solution_str, boxed_only=bool((extra_info or {}).get("boxed_only")))
    if said is None:
        return 0.0
    by_rule = equal_by_rule(ground_truth, said)
    if by_rule is not None or find_spec("math_verify") is None:
        return float(bool(by_rule))
    alarm = threading.current_thread() is threading.main_thread()
    try:
        return float(equal_by_math_verify(ground_truth, said, SECONDS if alarm else None))
    except Undecidable:
        return 0.0


def trl_reward(completions: Sequence[Any], **columns: Any) -> list[float]:
    """The rewards of a batch; TRL and ms-swift call it with the dataset's columns.

    Completions are texts, or message lists whose last text counts. Used columns: `ground_truth` or
    `solution`, and `extra_info` where there is one.
    """
    truths = columns.get("ground_truth") or columns["solution"]
    extras = columns.get("extra_info") or [None] * len(completions)
    rows = zip(completions, truths, extras, strict=True)
    return [compute_score("", _text(c), truth, extra) for c, truth, extra in rows]


def strip_thinking(text: str) -> str:
    """The text after the last `</think>`."""
    return text.rsplit("</think>", 1)[-1]


def last_box(text: str) -> Box | None:
    """The last box of a text; braces nest, and escaped ones do not count."""
    openings = list(_BOX.finditer(text))
    if not openings:
        return None
    opening = openings[-1]
    depth, position = 1, opening.end()
    while position < len(text):
        sign = text[position]
        if sign == "\\":
            position += 1  # the sign after a backslash is escaped
        elif sign in "{}":
            depth += 1 if sign == "{" else -1
            if depth == 0:
                return Box(text[opening.end() : position].strip(), opening.start(), position + 1)
        position += 1
    return Box(None, opening.start(), len(text))


def stated_answer(text: str, *, boxed_only: bool = False) -> str | None:
    r"""The final answer of a response: its last box; else what follows a last "####" or
    "answer is" / "answer:". None where there is none of these, or where the box never closes.

    With `boxed_only` only a box counts. The last number of a text is never taken as its answer:
    that would let wrong responses pass.
    """
    shown = strip_thinking(text)
    box = last_box(shown)
    if box is not None:
        return box.content or None
    if boxed_only:
        return None
    marks = list(_MARK.finditer(shown))
    return (marks[-1].group(1).strip().rstrip(".").strip("* ") or None) if marks else None


@lru_cache(maxsize=64)  # the rules below ask again and again for the same few
def normalize_answer(text: str) -> str:
    """An answer without `$`, boxes, text commands, extra spaces and a final dot."""
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


def parse_number(text: str) -> Number | None:
    """The number that an answer is, or None: also `1,000`, `1 million`, `3.2e5`, `50%`, `2/3`."""
    return _parse_number(text) if len(text) <= LONGEST_NUMBER else None


@lru_cache(maxsize=2**16)  # traces repeat their numbers again and again
def _parse_number(text: str) -> Number | None:
    if text.isascii() and text.removeprefix("-").isdigit():
        return Number(Fraction(int(text)))
    packed = normalize_answer(text).replace(" ", "")
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


def parse_choice(text: str) -> str | None:
    """The letter of a multiple-choice answer: `A`, `(A)`, `A.`, `option a` are all "A"."""
    found = _CHOICE.fullmatch(normalize_answer(text))
    return found.group(1).upper() if found else None


def parse_words(text: str) -> str | None:
    """The answer in lower case where it is plain words (a name, "no solution"), else None."""
    plain = normalize_answer(text)
    if not _WORDS.fullmatch(plain) or len(max(re.split(r"[ '\-]", plain), key=len)) < 3:
        return None
    return None if plain.lower().startswith(_FUNCTIONS) and " " not in plain else plain.lower()


def equal_by_rule(truth: str, said: str) -> bool | None:
    """Whether two answers are the same, or None where rules cannot tell.

    Numbers are compared exactly (and `50%` equals both 0.5 and 50: the sign may be a unit), a
    long decimal also with the fraction it rounds; letters and words as such: a computer algebra
    system would read "silent" and "listen" as equal products. What is less than 7, or not 7, is
    not 7. A text of more than `LONGEST_ANSWER` characters equals only itself.
    """
    left_text, right_text = normalize_answer(truth), normalize_answer(said)
    if left_text == right_text != "":
        return True
    if max(len(left_text), len(right_text)) > LONGEST_ANSWER:
        return False
    numbers = parse_number(truth), parse_number(said)
    if numbers[0] and numbers[1]:
        return _same_number(numbers[0], numbers[1])
    for read in (parse_choice, parse_words):
        left, right = read(truth), read(said)
        if left and right:
            return left == right
    both = (truth, said)
    if any(map(parse_words, both)) and (any(numbers) or any(map(parse_choice, both))):
        return False  # a word is neither a number nor a letter
    if bool(_BOUND.fullmatch(left_text)) != bool(_BOUND.fullmatch(right_text)):
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


def equal_by_math_verify(truth: str, said: str, seconds: int | None = None) -> bool:
    """Whether math-verify finds the answers equal.

    `seconds` limits each of its steps by an alarm, which works in a main thread alone; without it
    there is no limit, so call it in a process that can be killed.

    Raises:
        Undecidable: the truth cannot be read, or the comparison itself failed.
    """
    logging.getLogger("math_verify").setLevel(logging.ERROR)  # it warns of a missing time limit
    from math_verify import verify

    if parse_words(truth) or parse_words(said):
        return False  # both would be products of letters, and "pairs" equal to "Paris"
    left, right = _parse(truth, seconds), _parse(said, seconds)
    if not any(not isinstance(value, str) for value in left):
        raise Undecidable("truth cannot be read as mathematics")
    if not any(not isinstance(value, str) for value in right):
        return False  # the response wrote no mathematics where the truth is some
    try:
        if verify(left, right, timeout_seconds=seconds, raise_on_error=True):
            return True
        return _is_rounded(left, said)
    except Exception as error:
        raise Undecidable("comparison failed") from error


def _parse(answer: str, seconds: int | None) -> list[Any]:
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse

    read = parse_number(answer)
    if read is not None:
        answer = str(read.value)
    kinds = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    try:
        boxed = f"\\boxed{{{answer}}}"
        return list(parse(boxed, kinds, parsing_timeout=seconds, raise_on_error=True))
    except Exception as error:
        raise Undecidable("answer cannot be parsed") from error


def _is_rounded(truth: list[Any], said: str) -> bool:
    """Whether a long decimal rounds the truth (3.14159 for pi)."""
    decimal = parse_number(said)
    if decimal is None or decimal.decimals < ROUNDED_DIGITS:
        return False
    for value in truth:
        if getattr(value, "is_real", False) and not getattr(value, "free_symbols", True):
            exact = Fraction(str(value.evalf(decimal.decimals + 20)))
            return rounds(exact, decimal.value, decimal.decimals)
    return False


def _text(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    return str(completion[-1].get("content") or "")
