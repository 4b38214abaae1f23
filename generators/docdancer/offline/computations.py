"""Computations over two tables, or a table and the text: sums, gaps, lists, counts, bounds."""

from collections.abc import Callable, Iterator

from synthmill.generators.docdancer.offline.knowledge import Knowledge, Measure, Value
from synthmill.generators.docdancer.offline.selectors import Slots
from synthmill.generators.docdancer.offline.solutions import (
    Solution,
    absent_value,
    between,
    written,
)
from synthmill.generators.docdancer.prompts import EvidenceItem
from synthmill.generators.docdancer.records import AnswerFormat
from synthmill.generators.docdancer.tables import Quantity

# Two values of one subject.


def _pair(known: Knowledge, slots: Slots) -> tuple[Measure, Measure] | None:
    one, other = known.named(slots["m1"]), known.named(slots["m2"])
    if one is None or other is None or one.table == other.table:
        return None
    return one, other


# An answer, its format, and the words before it in the last step; None where it makes no question.
Computation = Callable[[Quantity, Quantity], tuple[str, AnswerFormat, str] | None]


def combined(compute: Computation) -> Callable[[Knowledge, Slots], Solution | None]:
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
            return absent_value(lacking, subject, (have.item,), have.place, why)
        return _computed(compute, slots, one, other)

    return solve


def _computed(compute: Computation, slots: Slots, one: Value, other: Value) -> Solution | None:
    """The result of a computation with two values, and its steps."""
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
            f"The {slots['m1']} of {one.subject} is {one.text}.",
            f"The {slots['m2']} of {other.subject} is {other.text}.",
            f"{how} {answer}.",
        ),
        (one.item, other.item),
        frozenset((one.place, other.place)),
    )


def sum_of(one: Quantity, other: Quantity) -> tuple[str, AnswerFormat, str]:
    places = max(one.decimals, other.decimals)
    return (*written(one.value + other.value, places, one.percent), "Their sum is")


def difference_of(one: Quantity, other: Quantity) -> tuple[str, AnswerFormat, str] | None:
    places = max(one.decimals, other.decimals)
    if one.value <= other.value:
        return None
    return (*written(one.value - other.value, places, False), "The difference is")


def percentage_of(one: Quantity, other: Quantity) -> tuple[str, AnswerFormat, str] | None:
    if one.value <= 0 or other.value <= 0 or one.percent != other.percent:
        return None
    return f"{100 * other.value / one.value:.1f}%", "Float", "The second is, of the first,"


def pairs(known: Knowledge) -> Iterator[Slots]:
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


def across(known: Knowledge, slots: Slots) -> Solution | None:
    pair = _pair(known, slots)
    if pair is None:
        return None
    one, other = pair[0].of(slots["s1"]), pair[1].of(slots["s2"])
    return _computed(difference_of, slots, one, other) if one and other else None


def across_pairs(known: Knowledge) -> Iterator[Slots]:
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


def gap(known: Knowledge, slots: Slots) -> Solution | None:
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
    low, high = _float(slots["x"]), _float(slots["y"])
    if low is None or high is None:
        return None
    return [(a, b) for a, b in _joined(*pair) if _value(a) > low and _value(b) < high]


def count(known: Knowledge, slots: Slots) -> Solution | None:
    return _conditions(known, slots, lambda found: (str(len(found)), "Int"))


def listed(known: Knowledge, slots: Slots) -> Solution | None:
    return _conditions(known, slots, lambda found: (repr(found), "List"), least=2)


def _conditions(
    known: Knowledge,
    slots: Slots,
    answer: Callable[[list[str]], tuple[str, AnswerFormat]],
    least: int = 1,
) -> Solution | None:
    pair, found = _pair(known, slots), _both(known, slots)
    if pair is None or found is None or len(found) < least:
        return None
    above = sum(_value(a) > float(slots["x"]) for a, _ in _joined(*pair))
    names = sorted(a.subject for a, _ in found)
    text, answer_format = answer(names)
    joined = list(_joined(*pair))
    return Solution(
        text,
        answer_format,
        (
            f"The {slots['m1']} is above {slots['x']} for {above} of {len(joined)}.",
            f"Of these, the {slots['m2']} is below {slots['y']} for {', '.join(names)}.",
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


def gaps(known: Knowledge) -> Iterator[Slots]:
    comparable = list(_comparable(known))
    for one, other, first, second in _joins(known):
        if (one, other) in comparable:
            yield {"m1": first, "m2": second, "nouns": _plural(known, one)}


def bounds(known: Knowledge) -> Iterator[Slots]:
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


def best_under_condition(known: Knowledge, slots: Slots) -> Solution | None:
    """The subject of the highest first measure among those whose second one is above x.

    None where it has the highest of all: one table would tell it.
    """
    pair = _pair(known, slots)
    low = _float(slots["x"])
    if pair is None or low is None:
        return None
    joined = list(_joined(*pair))
    kept = sorted((a for a, b in joined if _value(b) > low), key=_value, reverse=True)
    top = max(pair[0].values, key=_value) if pair[0].numeric else None
    tied = len(kept) > 1 and _value(kept[0]) == _value(kept[1])
    if len(kept) < 2 or tied or top is None or top.subject == kept[0].subject:
        return None
    names = ", ".join(value.subject for value in kept)
    return Solution(
        kept[0].subject,
        "Str",
        (
            f"The {slots['m2']} is above {slots['x']} for {names}.",
            f"Of these, {kept[0].subject} has the highest {slots['m1']}, {kept[0].text}.",
        ),
        tuple(value.item for both in joined for value in both),
        frozenset(value.place for both in joined for value in both),
    )


def conditions(known: Knowledge) -> Iterator[Slots]:
    """Bounds for one measure, with another measure to rank by."""
    for slots in bounds(known):
        yield {"m1": slots["m2"], "m2": slots["m1"], "x": slots["x"], "nouns": slots["nouns"]}


def _float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


# Against a bound that running text sets.


def over_stated(known: Knowledge, slots: Slots) -> Solution | None:
    measure = known.named(slots["m"])
    limits = [one for one in known.limits() if known.named(one.attribute) is measure]
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


def stated_limits(known: Knowledge) -> Iterator[Slots]:
    for limit in known.limits():
        measure = known.named(limit.attribute)
        phrase = known.phrase(measure) if measure else None
        if measure and measure.noun and phrase:
            nouns = _plural(known, measure)
            yield {"m": phrase, "k": limit.kind, "nouns": nouns}


def _plural(known: Knowledge, measure: Measure) -> str:
    return next(many for many, one in known.nouns.items() if one == measure.noun)


def _value(value: Value) -> float:
    return value.quantity.value if value.quantity else float("nan")
