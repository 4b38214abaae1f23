"""The forms of questions: each writes a question, reads it back, and finds its answer.

A question is right by construction: its answer is found by the form that the question is read back
as, in the tables and sentences of the document.
"""

from collections.abc import Callable, Iterator

from synthmill.generators.docdancer.offline.computations import (
    across,
    across_pairs,
    best_under_condition,
    bounds,
    combined,
    conditions,
    count,
    difference_of,
    gap,
    gaps,
    listed,
    over_stated,
    pairs,
    percentage_of,
    stated_limits,
    sum_of,
)
from synthmill.generators.docdancer.offline.knowledge import Knowledge
from synthmill.generators.docdancer.offline.phrases import Phrasings
from synthmill.generators.docdancer.offline.selectors import SELECTORS, Slots, parse_selector
from synthmill.generators.docdancer.offline.solutions import (
    AskingForm,
    Solution,
    absent_value,
    stated,
)
from synthmill.generators.docdancer.records import Template


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
        return absent_value(measure, selected.subject, selected.items, selected.place, selected.why)
    answer, answer_format = stated(value)
    return Solution(
        answer,
        answer_format,
        (selected.why, f"Its {slots['m']} is {value.text}."),
        (*selected.items, value.item),
        frozenset((selected.place, value.place)),
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
        combined(sum_of),
        pairs,
    ),
    AskingForm(
        "difference",
        "comprehension",
        Phrasings(
            "By how much does the {m1} of {s} exceed its {m2}?",
            "For {s}, how much higher is the {m1} than the {m2}?",
            "What is the difference between the {m1} and the {m2} of {s}?",
        ),
        combined(difference_of),
        pairs,
    ),
    AskingForm(
        "percentage",
        "comprehension",
        Phrasings(
            "What percentage of the {m1} of {s} is its {m2}, rounded to one decimal?",
            "For {s}, what is the {m2} as a percentage of the {m1}, to one decimal?",
        ),
        combined(percentage_of),
        pairs,
    ),
    AskingForm(
        "across",
        "comprehension",
        Phrasings(
            "How much higher is the {m1} of {s1} than the {m2} of {s2}?",
            "By how much does the {m1} of {s1} exceed the {m2} of {s2}?",
        ),
        across,
        across_pairs,
    ),
    AskingForm(
        "gap",
        "comprehension",
        Phrasings(
            "Of the {nouns}, which one shows the widest gap between the {m1} and the {m2}?",
            "Among the {nouns}, where do the {m1} and the {m2} differ most?",
        ),
        gap,
        gaps,
    ),
    AskingForm(
        "best",
        "comprehension",
        Phrasings(
            "Among the {nouns} whose {m2} is above {x}, which one has the highest {m1}?",
            "Which of the {nouns} with a {m2} above {x} has the largest {m1}?",
        ),
        best_under_condition,
        conditions,
    ),
    AskingForm(
        "list",
        "comprehension",
        Phrasings(
            "Which {nouns} have a {m1} above {x} and a {m2} below {y}?",
            "Which are the {nouns} whose {m1} is above {x} while the {m2} is below {y}?",
        ),
        listed,
        bounds,
    ),
    AskingForm(
        "count",
        "counting",
        Phrasings(
            "For how many {nouns} is the {m1} above {x} while the {m2} is below {y}?",
            "How many {nouns} have a {m1} above {x} and a {m2} below {y}?",
            "How many of the {nouns} have a {m1} of more than {x} and a {m2} of less than {y}?",
        ),
        count,
        bounds,
    ),
    AskingForm(
        "limit",
        "counting",
        Phrasings(
            "How many {nouns} exceed the {k} that is set for the {m}?",
            "For how many {nouns} is the {m} above the {k} that the text states?",
        ),
        over_stated,
        stated_limits,
    ),
)
