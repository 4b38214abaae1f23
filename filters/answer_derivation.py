"""Where a trace derives its final answer, and where it first claims it."""

import re
from fractions import Fraction

from synthmill.rewards.math_answers import (
    Number,
    equal_by_rule,
    last_box,
    parse_choice,
    parse_number,
    parse_words,
)

_NUMBER = re.compile(
    r"\\[dt]?frac\{-?\d+\}\{\d+\}|(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?:/\d+)?|(?<!\w)\.\d+"
)
_EQUATION = re.compile(r"=|≈|≡|→|⇒|->|\\(?:approx|equiv|to|implies|Rightarrow|leq?|geq?)\b")
# What directly precedes a result: an equals sign of some kind, or a verb of calculating.
_AFTER_SIGN = re.compile(r"(?:=|≈|≡|→|⇒|->|\\(?:approx|equiv|to|implies|Rightarrow))[\s${(\\\[*]*$")
_AFTER_VERB = re.compile(
    r"\b(?:is|are|was|be|equals?|gives?|giving|gets?|got|makes?|making|leaves?|leaving|totals?|"
    r"yields?|becomes?|remains?|obtain|have|has|find|means?)[\s${(\\\[*]*$",
    re.I,
)
_CLAIM = re.compile(r"\banswer\b[^.\n=]{0,40}?(?:\bis\b|\bbe\b|\bequals?\b|=|:)\s*", re.I)
_SENTENCE_END = re.compile(r"[.!?;:][)\"'*]*\s+|\n+")
_SENTENCE = re.compile(r"[^\n.!?;]+(?:\.(?=\d)[^\n.!?;]*)*")
LEAST_WORDS = 3  # ours: a sentence of fewer words derives nothing
# Ours: characters before a result in which its sign or verb is looked for. Without a bound, a trace
# that repeats one number ten thousand times would be read ten thousand times.
REACH = 80


def first_result(trace: str, answer: str, question: str) -> int | None:
    """The position where a step first derives the answer, or None.

    A number is a result where it follows an equals sign or a verb of calculating ("leaves 7"), or
    ends a sentence with other numbers; where the question gives the number already, a verb is not
    enough. Sentences that only claim ("the answer is 7") derive nothing. The place where the answer
    is boxed counts if it is computed there.
    """
    end, computed = _conclusion(trace)
    value = parse_number(answer)
    if value is not None:
        given = any(_same(value, found) for _, _, found in _numbers(question))
        found = _first_number(trace[:end], value, given)
    else:
        found = _first_other(trace[:end], answer)
    return found if found is not None else (end if computed else None)


def first_claim(trace: str, answer: str) -> int | None:
    """The position where the trace first says "the answer is ..." of this answer, or None."""
    value = parse_number(answer)
    for claim in _CLAIM.finditer(trace):
        rest = trace[claim.end() : claim.end() + 200].split("\n")[0]
        if value is not None:
            found = _NUMBER.search(rest)
            said = parse_number(found.group()) if found else None
            if said is not None and found and found.start() < 20 and _same(value, said):
                return claim.start()
        elif equal_by_rule(answer, re.split(r"[.;,](?:\s|$)", rest)[0]):
            return claim.start()
    return None


def values_in(text: str) -> list[Fraction]:
    """The values of the numbers in a text, in order."""
    return [read.value for _, _, read in _numbers(text)]


def _conclusion(trace: str) -> tuple[int, bool]:
    """The start of the sentence with the last box, and whether the answer is computed in it."""
    box = last_box(trace)
    if box is None:
        return len(trace), False
    start = 0
    for pause in _SENTENCE_END.finditer(trace, 0, box.start):
        start = pause.end()
    before = trace[start : box.start] + (box.content or "")
    signs = [sign.start() for sign in _EQUATION.finditer(before)]
    return start, bool(signs) and _NUMBER.search(before, 0, signs[-1]) is not None


def _first_number(body: str, value: Number, given: bool) -> int | None:
    for sentence in _SENTENCE.finditer(body):
        text = sentence.group()
        if _CLAIM.search(text):
            continue
        found = list(_numbers(text))
        for place, (start, _, read) in enumerate(found):
            if not _same(value, read):
                continue
            reach = max(0, start - REACH)
            last_of_several = place == len(found) - 1 and any(
                not _same(value, other) for _, _, other in found
            )
            by_verb = not given and _AFTER_VERB.search(text, reach, start)
            if _AFTER_SIGN.search(text, reach, start) or by_verb or last_of_several:
                return sentence.start() + start
    return None


def _first_other(body: str, answer: str) -> int | None:
    if parse_choice(answer) or parse_words(answer):
        for sentence in _SENTENCE.finditer(body):
            if len(sentence.group().split()) >= LEAST_WORDS and not _CLAIM.search(sentence.group()):
                return sentence.start()
        return None
    place = "".join(body.split()).find("".join(answer.split()))
    equation = _EQUATION.search(body)
    if equation is not None:
        return equation.start()
    return 0 if place >= 0 else None


def _numbers(text: str) -> list[tuple[int, int, Number]]:
    found = []
    for match in _NUMBER.finditer(text):
        read = parse_number(match.group().rstrip(","))
        if read is not None:
            found.append((match.start(), match.end(), read))
    return found


def _same(value: Number, read: Number) -> bool:
    """Whether a number in a step is the final one, which may be rounded."""
    if value.value == read.value or (value.percent and value.value == read.value * 100):
        return True
    more = read.decimals > value.decimals and not value.fraction
    return more and abs(value.value - read.value) <= Fraction(1, 2 * 10**value.decimals)
