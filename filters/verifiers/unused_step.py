"""Does a trace use what its steps compute?"""

import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from synthmill.filters.answer_derivation import values_in
from synthmill.filters.base import Verifier
from synthmill.filters.equations import equations
from synthmill.filters.text import question, responses, split_steps
from synthmill.rewards.math_answers import Number, parse_number, stated_answer
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

MAX_CHARS = 20_000  # ours: longer traces are skipped
ROUNDED = 0.01  # ours: a result with a fraction may be written with so large an error later
LARGEST = Fraction(10) ** 300  # that a float holds
# Steps that compute something to look at it, and not to go on with it. English only.
_ASIDE = re.compile(
    r"\b(?:check\w*|verif\w+|confirm\w*|indeed|sanity|tr(?:y|ies|ied|ying)|test\w*|suppose|assum\w+|"
    r"if|case|compar\w+|otherwise|alternativ\w+|instead|but|however|wait|not|too|whether|or|note|"
    r"similarly|larger|smaller|greater|less|more|than|recall|example|at (?:least|most))\b|[<>≤≥≠?]",
    re.I,
)
_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip


class UnusedStep(Verifier):
    """A step computes a number that nothing after it uses.

    A search that joins parts of several traces can leave such a step behind: the answer is right,
    but the trace does not lead to it. A step is judged by the result of its last certain equation
    between plain numbers (as the filter `arithmetic` reads them). It is used if a later step or the
    conclusion contains the number: as it is, negated, a hundred times greater or smaller (percent),
    rounded, or in words up to twelve.

    Few false alarms matter more than finding all, so these are left alone: the last step; steps
    that check, try, compare or assume something (words, English); results that the question or an
    earlier step contains already; a result that is the answer. Rows whose answer is not a
    number, without a response, or without such a step are skipped; of a preference the chosen
    side is read. Ours.
    """

    name = "unused_step"

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the first step that is not used."""
        given = values_in(question(candidate))
        judged = False
        for response in responses(candidate):
            text = response.content
            answer = stated_answer(text) or candidate.answer
            if response.label == "rejected" or len(text) > MAX_CHARS or not _is_number(answer):
                continue
            judged = True
            unused = _first_unused(text, [*given, *values_in(answer or "")])
            if unused:
                return self.verdict("fail", "a step's result is never used", detail=unused)
        return self.verdict("pass") if judged else self.verdict("skipped", "no numeric answer")


def _first_unused(text: str, known: Sequence[Fraction]) -> str | None:
    steps = split_steps(text)
    values = [values_in(text[step.inner : step.end]) for step in steps]
    ending = values_in(text[steps[-1].end :]) if steps else []
    # Every size of a number, and the last place where it stands.
    last = {abs(v): place for place, found in enumerate([*values, ending]) for v in found}
    seen = set(known)
    for place, step in enumerate(steps[:-1]):
        body = text[step.inner : step.end]
        found = list(equations(body))
        value = parse_number(found[-1].right) if found else None
        if value is not None and value.value not in seen and not _ASIDE.search(body):
            later = text[step.end :]
            if not _stands_after(place, abs(value.value), last) and not _in_words(value, later):
                return " ".join(step.body.split())
        seen.update(values[place])
    return None


def _stands_after(place: int, size: Fraction, last: Mapping[Fraction, int]) -> bool:
    sizes = (size, size * 100, size / 100)
    if any(last.get(shown, -1) > place for shown in sizes):
        return True
    if size.denominator == 1:
        return False
    later = [_short(number) for number, at in last.items() if at > place]
    return any(
        math.isclose(number, _short(shown), rel_tol=ROUNDED) for number in later for shown in sizes
    )


def _short(number: Fraction) -> float:
    return float(min(number, LARGEST))


def _in_words(value: Number, later: str) -> bool:
    number = value.value
    if number.denominator != 1 or not 0 <= number < len(_WORDS):
        return False
    return re.search(rf"\b{_WORDS[int(number)]}\b", later, re.I) is not None


def _is_number(answer: str | None) -> bool:
    return answer is not None and parse_number(answer) is not None
