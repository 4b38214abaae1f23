"""Answers with their steps and evidence, and how numbers are written as answers."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from synthmill.generators.docdancer.offline.knowledge import Knowledge, Measure, Value
from synthmill.generators.docdancer.offline.phrases import Phrasings
from synthmill.generators.docdancer.offline.selectors import Slots
from synthmill.generators.docdancer.prompts import EvidenceItem
from synthmill.generators.docdancer.records import AnswerFormat, Template
from synthmill.rewards.mmlongbench import UNANSWERABLE


class Solution(NamedTuple):
    """An answer with its steps and evidence; `absent` is what an unanswerable question asks."""

    answer: str
    answer_format: AnswerFormat
    steps: tuple[str, ...]
    items: tuple[EvidenceItem, ...]
    places: frozenset[int | str]
    absent: tuple[str, str] | None = None


@dataclass(frozen=True)
class AskingForm:
    """A form of question. `templates` are those that it serves, apart from `unanswerable`."""

    name: str
    template: Template
    phrasings: Phrasings
    solve: Callable[[Knowledge, Slots], Solution | None]
    propose: Callable[[Knowledge], Iterator[Slots]]


def absent_value(
    measure: Measure,
    subject: str,
    items: tuple[EvidenceItem, ...],
    place: int | str,
    why: str,
) -> Solution | None:
    """Not answerable: the measure is known for other subjects of the kind, and not for this one."""
    if len(measure.values) < 3:
        return None
    nearest = measure.values[0]
    return Solution(
        UNANSWERABLE,
        "None",
        (why, f"The {measure.short} is given for others, and not for {subject}."),
        (*items, nearest.item),
        frozenset((place, nearest.place)),
        (subject, measure.header),
    )


def stated(value: Value) -> tuple[str, AnswerFormat]:
    """A value of the document as an answer: numbers without thousands separators."""
    found = value.quantity
    if found is None:
        return value.text, "Str"
    return written(found.value, found.decimals, found.percent)


def written(value: float, decimals: int, percent: bool) -> tuple[str, AnswerFormat]:
    """A number as an answer."""
    if decimals == 0 and not percent:
        return str(round(value)), "Int"
    return f"{value:.{decimals}f}{'%' if percent else ''}", "Float"


def between(low: float, high: float) -> str | None:
    """The shortest number strictly between two others; None where they are too close."""
    for digits in range(-6, 3):
        step = 10.0**-digits
        found = (low // step + 1) * step
        if low < found < high:
            return f"{found:.{max(0, digits)}f}"
    return None
