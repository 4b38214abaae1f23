"""Ways to mean a subject without its name, each with its phrasings: the first half of a hop."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from synthmill.generators.docdancer.offline.knowledge import (
    Knowledge,
    Value,
    lower_first,
    same_subject,
)
from synthmill.generators.docdancer.offline.phrases import Phrasings
from synthmill.generators.docdancer.prompts import EvidenceItem


class Selected(NamedTuple):
    """A subject, why it is meant, and the evidence for that, with where it stands."""

    subject: str
    noun: str
    why: str
    items: tuple[EvidenceItem, ...]
    place: int | str
    table: int | None = None


Slots = dict[str, str]


class ClueHit(NamedTuple):
    """A clue with the subject that it means, the evidence, and where that stands."""

    subject: str
    clue: str
    items: tuple[EvidenceItem, ...]
    place: int | str
    table: int | None = None


@dataclass(frozen=True)
class Selector:
    """A form of phrase; `resolve` finds its subject, `propose` the slots that have one."""

    name: str
    phrasings: Phrasings
    resolve: Callable[[Knowledge, Slots], Selected | None]
    propose: Callable[[Knowledge], Iterator[Slots]]


def _ranked(place: int) -> Callable[[Knowledge, Slots], Selected | None]:
    """The subject at a place of a column in descending order; negative from the end."""

    def resolve(known: Knowledge, slots: Slots) -> Selected | None:
        measure = known.named(slots["m"])
        if measure is None or not measure.numeric or len(measure.values) < 3:
            return None
        order = sorted(measure.values, key=_number, reverse=True)
        found = order[place]
        if sum(_number(value) == _number(found) for value in order) > 1:
            return None
        which = {0: "highest", 1: "second-highest", -1: "lowest"}[place]
        return Selected(
            found.subject,
            measure.noun,
            f"The {which} {measure.short} is {found.text}, that of {found.subject}.",
            tuple(value.item for value in measure.values),
            found.place,
            measure.table,
        )

    return resolve


def _columns(known: Knowledge) -> Iterator[Slots]:
    for measure in known.measures:
        phrase = known.phrase(measure)
        if phrase and measure.numeric and measure.noun and len(measure.values) > 2:
            yield {"m": phrase, "noun": measure.noun}


def _row(place: int) -> Callable[[Knowledge, Slots], Selected | None]:
    """The subject of the first or last row of a table."""

    def resolve(known: Knowledge, slots: Slots) -> Selected | None:
        table = known.table_on(slots["topic"])
        if table is None or len(table.rows) < 3:
            return None
        measure = next((m for m in known.measures if m.table == table.number), None)
        label, cells = table.rows[place]
        value = measure.of(label) if measure else None
        if measure is None or value is None:
            return None
        item = EvidenceItem(
            modality="layout",
            quote=cells[0],
            table=table.number,
            row=label,
            column=table.columns[0],
        )
        where = "first" if place == 0 else "last"
        return Selected(
            value.subject,
            measure.noun,
            f"The {where} row of the table on {slots['topic']} is that of {value.subject}.",
            (item,),
            value.place,
            table.number,
        )

    return resolve


def _topics(known: Knowledge) -> Iterator[Slots]:
    for table in known.view.tables:
        measure = next((m for m in known.measures if m.table == table.number), None)
        if table.topic and measure and known.table_on(table.topic) is table:
            yield {"topic": lower_first(table.topic), "noun": measure.noun}


def _clue(
    found: Callable[[Knowledge], Iterator[ClueHit]],
    why: str,
) -> tuple[Callable[[Knowledge, Slots], Selected | None], Callable[[Knowledge], Iterator[Slots]]]:
    """Resolving and proposing by a quoted clue, which one subject alone may have."""

    def resolve(known: Knowledge, slots: Slots) -> Selected | None:
        hits = [one for one in found(known) if one.clue.casefold() == slots["clue"].casefold()]
        if len({one.subject for one in hits}) != 1:
            return None
        hit = hits[0]
        said = why.format(subject=hit.subject, clue=hit.clue)
        return Selected(hit.subject, slots["noun"], said, hit.items, hit.place, hit.table)

    def propose(known: Knowledge) -> Iterator[Slots]:
        for hit in found(known):
            noun = next((m.noun for m in known.measures if m.noun and m.of(hit.subject)), None)
            if noun:
                yield {"clue": hit.clue, "noun": noun}

    return resolve, propose


def _described(
    known: Knowledge,
) -> Iterator[ClueHit]:
    for subject, clue, one in known.described():
        item = EvidenceItem(modality="text", quote=one.text)
        yield ClueHit(subject, clue, (item,), one.page or one.section)


def _pictured(known: Knowledge) -> Iterator[ClueHit]:
    for subject, clue, one in known.pictured():
        item = EvidenceItem(modality="figure", quote=one.text, figure=one.number)
        yield ClueHit(subject, clue, (item,), one.page or one.section)


def _noted(known: Knowledge) -> Iterator[ClueHit]:
    for subject, clue, note, table in known.noted():
        row, cells = next(one for one in table.rows if same_subject(one[0], subject))
        items = (
            EvidenceItem(modality="footnote", quote=note.text),
            EvidenceItem(
                modality="table",
                quote=cells[0],
                table=table.number,
                row=row,
                column=table.columns[0],
            ),
        )
        yield ClueHit(subject, clue, items, note.page or note.section, table.number)


def _number(value: Value) -> float:
    return value.quantity.value if value.quantity else float("nan")


SELECTORS: tuple[Selector, ...] = (
    Selector(
        "top",
        Phrasings(
            "the {noun} with the highest {m}",
            "the {noun} that has the largest {m}",
            "the {noun} that leads in {m}",
        ),
        _ranked(0),
        _columns,
    ),
    Selector(
        "bottom",
        Phrasings("the {noun} with the lowest {m}", "the {noun} that has the smallest {m}"),
        _ranked(-1),
        _columns,
    ),
    Selector(
        "second",
        Phrasings("the {noun} with the second-highest {m}", "the {noun} that ranks second by {m}"),
        _ranked(1),
        _columns,
    ),
    Selector(
        "first_row",
        Phrasings(
            "the {noun} listed first in the table on {topic}",
            "the {noun} in the top row of the table on {topic}",
        ),
        _row(0),
        _topics,
    ),
    Selector(
        "last_row",
        Phrasings(
            "the {noun} listed last in the table on {topic}",
            "the {noun} in the bottom row of the table on {topic}",
        ),
        _row(-1),
        _topics,
    ),
    Selector(
        "described",
        Phrasings(
            'the {noun} described as "{clue}"',
            'the {noun} that the text calls "{clue}"',
            'the {noun} introduced as "{clue}"',
        ),
        *_clue(_described, 'The text calls {subject} "{clue}".'),
    ),
    Selector(
        "noted",
        Phrasings(
            'the {noun} whose entry carries the remark "{clue}"',
            'the {noun} to which the caveat "{clue}" applies',
            'the {noun} that is qualified with "{clue}"',
        ),
        *_clue(_noted, 'The remark "{clue}" belongs to {subject}.'),
    ),
    Selector(
        "pictured",
        Phrasings(
            'the {noun} that is pictured with the caption "{clue}"',
            'the {noun} shown in the picture of "{clue}"',
            'the {noun} that the illustration of "{clue}" is about',
        ),
        *_clue(_pictured, 'The caption with "{clue}" names {subject}.'),
    ),
)


def parse_selector(phrase: str) -> tuple[Selector, Slots] | None:
    """The form and the slots of a phrase; None for a phrase of no form."""
    for selector in SELECTORS:
        for slots in selector.phrasings.read(phrase):
            return selector, slots
    return None
