"""The forms of questions: each writes a question, reads it back, and finds its answer.

A question is right by construction: its answer is found by the form that the question is read back
as, in the tables and sentences of the document.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from synthmill.generators.docdancer.offline.knowledge import Knowledge, Measure, Value, lower_first
from synthmill.generators.docdancer.offline.phrases import Phrasings
from synthmill.generators.docdancer.offline.selectors import (
    SELECTORS,
    Slots,
    parse_selector,
)
from synthmill.generators.docdancer.prompts import EvidenceItem
from synthmill.generators.docdancer.records import AnswerFormat, Template
from synthmill.generators.docdancer.tables import Quantity
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


def solve_question(known: Knowledge, question: str) -> Solution | None:
    """The answer to a question of any form; None where it has none here, or several."""
    found = [
        solution
        for form in FORMS
        for slots in form.phrasings.read(question)
        if (solution := form.solve(known, slots)) is not None
    ]
    return found[0] if len({one.answer for one in found}) == 1 else None


def words_of(question: str) -> list[str]:
    """The slots of a question: what to search for."""
    words: list[str] = []
    for form in FORMS:
        for slots in form.phrasings.read(question):
            given = dict(slots)
            if "sel" in given and (inner := parse_selector(given.pop("sel"))):
                given |= {f"{name}'": value for name, value in inner[1].items()}
            words += [given[n] for n in given if n.strip("'12") in ("m", "topic", "clue", "s")]
    return list(dict.fromkeys(words))


# A value of a subject that is singled out by something else: the hop.


def _lookup(known: Knowledge, slots: Slots) -> Solution | None:
    parsed = parse_selector(slots["sel"])
    measure = known.named(slots["m"])
    if parsed is None or measure is None:
        return None
    selected = parsed[0].resolve(known, parsed[1])
    if selected is None or measure.table == selected.table:
        return None
    value = measure.of(selected.subject)
    if value is None:
        return _absent(measure, selected.subject, selected.items, selected.place, selected.why)
    answer, answer_format = stated(value)
    return Solution(
        answer,
        answer_format,
        (selected.why, f"Its {measure.short} is {value.text}."),
        (*selected.items, value.item),
        frozenset((selected.place, value.place)),
    )


def _absent(
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


def _lookups(*names: str) -> Callable[[Knowledge], Iterator[Slots]]:
    def propose(known: Knowledge) -> Iterator[Slots]:
        for selector in SELECTORS:
            if selector.name not in names:
                continue
            for inner in selector.propose(known):
                for sel in selector.phrasings.templates:
                    for measure in known.measures:
                        if phrase := known.phrase(measure):
                            yield {"sel": sel.format(**inner), "m": phrase}

    return propose


# Two values of one subject.


def _pair(known: Knowledge, slots: Slots) -> tuple[Measure, Measure] | None:
    one, other = known.named(slots["m1"]), known.named(slots["m2"])
    if one is None or other is None or one.table == other.table:
        return None
    return one, other


def _combined(
    compute: Callable[[Quantity, Quantity], tuple[str, AnswerFormat, str] | None],
) -> Callable[[Knowledge, Slots], Solution | None]:
    """The result of a computation with two measures of one subject."""

    def solve(known: Knowledge, slots: Slots) -> Solution | None:
        pair, subject = _pair(known, slots), slots["s"]
        if pair is None:
            return None
        one, other = (measure.of(subject) for measure in pair)
        if one is None and other is None:
            return None
        if one is None or other is None:
            have, lacking = (one, pair[1]) if one else (other, pair[0])
            assert have is not None
            why = f"One of the two values for {subject} is {have.text}."
            return _absent(lacking, subject, (have.item,), have.place, why)
        if one.quantity is None or other.quantity is None:
            return None
        computed = compute(one.quantity, other.quantity)
        if computed is None:
            return None
        answer, answer_format, how = computed
        return Solution(
            answer,
            answer_format,
            (
                f"The {pair[0].short} of {one.subject} is {one.text}.",
                f"The {pair[1].short} of {one.subject} is {other.text}.",
                f"{how} {answer}.",
            ),
            (one.item, other.item),
            frozenset((one.place, other.place)),
        )

    return solve


def _sum(one: Quantity, other: Quantity) -> tuple[str, AnswerFormat, str]:
    places = max(one.decimals, other.decimals)
    return (*written(one.value + other.value, places, one.percent), "Their sum is")


def _difference(one: Quantity, other: Quantity) -> tuple[str, AnswerFormat, str] | None:
    places = max(one.decimals, other.decimals)
    if one.value <= other.value:
        return None
    return (*written(one.value - other.value, places, False), "The difference is")


def _percentage(one: Quantity, other: Quantity) -> tuple[str, AnswerFormat, str] | None:
    if one.value <= 0 or other.value <= 0 or one.percent != other.percent:
        return None
    return f"{100 * other.value / one.value:.1f}%", "Float", "The second is, of the first,"


def _pairs(known: Knowledge) -> Iterator[Slots]:
    """Measures of one unit in different tables, with every subject of either."""
    for one, other in _comparable(known):
        names = {value.subject: None for value in (*one.values, *other.values)}
        first, second = known.phrase(one), known.phrase(other)
        for subject in names:
            if first and second:
                yield {"m1": first, "m2": second, "s": subject}


def _comparable(known: Knowledge) -> Iterator[tuple[Measure, Measure]]:
    """Ordered pairs of numeric columns of different tables with one unit and a shared subject."""
    for one in known.measures:
        for other in known.measures:
            if one.table == other.table or not (one.numeric and other.numeric):
                continue
            alike = one.unit == other.unit and (one.unit or one.short == other.short)
            if alike and any(other.of(value.subject) for value in one.values):
                yield one, other


# Two subjects in two tables.


def _across(known: Knowledge, slots: Slots) -> Solution | None:
    pair = _pair(known, slots)
    if pair is None:
        return None
    one, other = pair[0].of(slots["s1"]), pair[1].of(slots["s2"])
    if one is None or other is None or one.quantity is None or other.quantity is None:
        return None
    computed = _difference(one.quantity, other.quantity)
    if computed is None:
        return None
    answer, answer_format, how = computed
    return Solution(
        answer,
        answer_format,
        (
            f"The {pair[0].short} of {one.subject} is {one.text}.",
            f"The {pair[1].short} of {other.subject} is {other.text}.",
            f"{how} {answer}.",
        ),
        (one.item, other.item),
        frozenset((one.place, other.place)),
    )


def _across_pairs(known: Knowledge) -> Iterator[Slots]:
    for one in known.measures:
        for other in known.measures:
            first, second = known.phrase(one), known.phrase(other)
            if one.table == other.table or not (first and second and one.numeric and other.numeric):
                continue
            if one.short != other.short:
                continue
            for high in one.values:
                for low in other.values:
                    if not one.of(low.subject):
                        yield {"m1": first, "m2": second, "s1": high.subject, "s2": low.subject}


# All subjects of two tables.


def _gap(known: Knowledge, slots: Slots) -> Solution | None:
    pair = _pair(known, slots)
    if pair is None:
        return None
    joined = list(_joined(*pair))
    if len(joined) < 3:
        return None
    gaps = sorted(((abs(_value(a) - _value(b)), a.subject) for a, b in joined), reverse=True)
    if gaps[0][0] - gaps[1][0] < 1e-9:
        return None
    widest = gaps[0][1]
    return Solution(
        widest,
        "Str",
        (
            f"Both are given for {len(joined)} {slots['nouns']}.",
            f"The difference is largest for {widest}.",
        ),
        tuple(value.item for both in joined for value in both),
        frozenset(value.place for both in joined for value in both),
    )


def _both(known: Knowledge, slots: Slots) -> list[tuple[Value, Value]] | None:
    """The subjects whose first measure is above x and whose second one is below y."""
    pair = _pair(known, slots)
    if pair is None:
        return None
    try:
        low, high = float(slots["x"]), float(slots["y"])
    except ValueError:
        return None
    return [(a, b) for a, b in _joined(*pair) if _value(a) > low and _value(b) < high]


def _count(known: Knowledge, slots: Slots) -> Solution | None:
    return _conditions(known, slots, lambda found: (str(len(found)), "Int"))


def _list(known: Knowledge, slots: Slots) -> Solution | None:
    return _conditions(known, slots, lambda found: (repr(found), "List"))


def _conditions(
    known: Knowledge,
    slots: Slots,
    answer: Callable[[list[str]], tuple[str, AnswerFormat]],
) -> Solution | None:
    pair, found = _pair(known, slots), _both(known, slots)
    if pair is None or not found:
        return None
    above = sum(_value(a) > float(slots["x"]) for a, _ in _joined(*pair))
    names = sorted(a.subject for a, _ in found)
    text, answer_format = answer(names)
    joined = list(_joined(*pair))
    return Solution(
        text,
        answer_format,
        (
            f"The {pair[0].short} is above {slots['x']} for {above} of {len(joined)}.",
            f"Of these, the {pair[1].short} is below {slots['y']} for {', '.join(names)}.",
        ),
        tuple(value.item for both in joined for value in both),
        frozenset(value.place for both in joined for value in both),
    )


def _joins(known: Knowledge) -> Iterator[tuple[Measure, Measure, str, str]]:
    """Numeric columns of two tables that list the same kind of subjects, with their phrases."""
    for one in known.measures:
        for other in known.measures:
            first, second = known.phrase(one), known.phrase(other)
            same = one.table != other.table and one.numeric and other.numeric and one.noun
            if same and first and second and len(list(_joined(one, other))) >= 3:
                yield one, other, first, second


def _gaps(known: Knowledge) -> Iterator[Slots]:
    comparable = list(_comparable(known))
    for one, other, first, second in _joins(known):
        if (one, other) in comparable:
            yield {"m1": first, "m2": second, "nouns": _plural(known, one)}


def _bounds(known: Knowledge) -> Iterator[Slots]:
    """Bounds between neighbouring values, so that conditions hold for some subjects only."""
    for one, other, first, second in _joins(known):
        lows = sorted(_value(a) for a, _ in _joined(one, other))
        highs = sorted(_value(b) for _, b in _joined(one, other))
        for at in range(len(lows) - 1):
            x = between(lows[at], lows[at + 1])
            y = between(highs[-at - 2], highs[-at - 1])
            if x and y:
                nouns = _plural(known, one)
                yield {"m1": first, "m2": second, "x": x, "y": y, "nouns": nouns}


def _joined(one: Measure, other: Measure) -> Iterator[tuple[Value, Value]]:
    for value in one.values:
        match = other.of(value.subject)
        if match is not None and value.quantity and match.quantity:
            yield value, match


# Against a bound that running text sets.


def _over_stated(known: Knowledge, slots: Slots) -> Solution | None:
    measure = known.named(slots["m"])
    limits = [one for one in known.limits() if one.attribute.casefold() == slots["m"].casefold()]
    if measure is None or not measure.numeric or len(limits) != 1 or slots["k"] != limits[0].kind:
        return None
    limit = limits[0]
    over = [v for v in measure.values if _value(v) > limit.value]
    if not over:
        return None
    return Solution(
        str(len(over)),
        "Int",
        (
            f"The text sets a {limit.kind} of {limit.value:g} for the {measure.short}.",
            f"It is exceeded by {', '.join(v.subject for v in over)}.",
        ),
        (
            EvidenceItem(modality="text", quote=limit.sentence.text),
            *(v.item for v in measure.values),
        ),
        frozenset((limit.sentence.page or limit.sentence.section, measure.values[0].place)),
    )


def _stated_limits(known: Knowledge) -> Iterator[Slots]:
    for limit in known.limits():
        measure = known.named(limit.attribute)
        if measure and measure.noun:
            nouns = _plural(known, measure)
            yield {"m": lower_first(limit.attribute), "k": limit.kind, "nouns": nouns}


def _plural(known: Knowledge, measure: Measure) -> str:
    return next(many for many, one in known.nouns.items() if one == measure.noun)


def _value(value: Value) -> float:
    return value.quantity.value if value.quantity else float("nan")


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


LOOKUP = (
    "What is the {m} of {sel}?",
    "What {m} is reported for {sel}?",
    "For {sel}, what is the {m}?",
    "Which value is given as the {m} of {sel}?",
)


def _lookup_form(name: str, template: Template, *selectors: str) -> AskingForm:
    return AskingForm(name, template, Phrasings(*LOOKUP), _lookup, _lookups(*selectors))


FORMS: tuple[AskingForm, ...] = (
    _lookup_form("superlative", "comprehension", "top", "bottom", "second"),
    _lookup_form("description", "comprehension", "described"),
    _lookup_form("row_place", "layout", "first_row", "last_row"),
    _lookup_form("remark", "footnote", "noted"),
    _lookup_form("caption_table", "table_chart", "pictured"),
    _lookup_form("caption_text", "text_chart", "pictured"),
    AskingForm(
        "sum",
        "comprehension",
        Phrasings(
            "What do the {m1} and the {m2} of {s} add up to?",
            "For {s}, what is the sum of the {m1} and the {m2}?",
            "What total do the {m1} and the {m2} make for {s}?",
        ),
        _combined(_sum),
        _pairs,
    ),
    AskingForm(
        "difference",
        "comprehension",
        Phrasings(
            "By how much does the {m1} of {s} exceed its {m2}?",
            "For {s}, how much higher is the {m1} than the {m2}?",
            "What is the difference between the {m1} and the {m2} of {s}?",
        ),
        _combined(_difference),
        _pairs,
    ),
    AskingForm(
        "percentage",
        "comprehension",
        Phrasings(
            "What percentage of the {m1} of {s} is its {m2}, rounded to one decimal?",
            "For {s}, what is the {m2} as a percentage of the {m1}, to one decimal?",
        ),
        _combined(_percentage),
        _pairs,
    ),
    AskingForm(
        "across",
        "comprehension",
        Phrasings(
            "How much higher is the {m1} of {s1} than the {m2} of {s2}?",
            "By how much does the {m1} of {s1} exceed the {m2} of {s2}?",
        ),
        _across,
        _across_pairs,
    ),
    AskingForm(
        "gap",
        "comprehension",
        Phrasings(
            "Of the {nouns}, which one shows the widest gap between the {m1} and the {m2}?",
            "Among the {nouns}, where do the {m1} and the {m2} differ most?",
        ),
        _gap,
        _gaps,
    ),
    AskingForm(
        "list",
        "comprehension",
        Phrasings(
            "Which {nouns} have a {m1} above {x} and a {m2} below {y}?",
            "Which are the {nouns} whose {m1} is above {x} while the {m2} is below {y}?",
        ),
        _list,
        _bounds,
    ),
    AskingForm(
        "count",
        "counting",
        Phrasings(
            "For how many {nouns} is the {m1} above {x} while the {m2} is below {y}?",
            "How many {nouns} have a {m1} above {x} and a {m2} below {y}?",
            "How many of the {nouns} have a {m1} of more than {x} and a {m2} of less than {y}?",
        ),
        _count,
        _bounds,
    ),
    AskingForm(
        "limit",
        "counting",
        Phrasings(
            "How many {nouns} exceed the {k} that is set for the {m}?",
            "For how many {nouns} is the {m} above the {k} that the text states?",
        ),
        _over_stated,
        _stated_limits,
    ),
)
