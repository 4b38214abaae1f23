"""What a view says, as measures (columns of values by subject) and ways to single out a subject."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from synthmill.generators.docdancer.offline.reading import ReadPart, View
from synthmill.generators.docdancer.prompts import EvidenceItem
from synthmill.generators.docdancer.tables import DataTable, Quantity, is_year, quantity, topic_of

_UNIT = re.compile(r"^(.*?)\s*[(\[]([^()\[\]]+)[)\]]$")
_TOTAL = re.compile(
    r"\b(?:total|sum|all|average|mean|median|overall|subtotal|other|others)\b", re.I
)
_SERIAL = re.compile(r"^(?:no\.?|nr\.?|number|#|id|rank|page|year|code|item|ref\.?)$", re.I)
_SAID = re.compile(
    r"(?:The|the) ([a-z][\w -]{2,40}?) of ([A-Z][\w .'-]{1,40}?) (?:is|was|reached|stood at) "
    r"([\w.,%\u2212 -]{1,30}?)\."
)
_CALLED = re.compile(r"^([A-Z][\w .'-]{1,40}?) (?:is|was) ((?:the|a|an) [^.;\"]{12,90})\.$")
_LIMIT = re.compile(
    r"\b(target|limit|threshold|maximum|ceiling|minimum) (?:for|of|on) the ([\w ()%-]{2,40}?) "
    r"(?:is|was|is set at|was set at) ([\d.,]+%?)(?=[^\d.,]|\.?$)"
)
_IN_TOPIC = re.compile(r"\b(?:1[5-9]|20|21)\d\d\b")
_COUNTED = frozenset({"staff", "people", "personnel", "employees"})
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+")  # a capital inside of a sentence
_MARKS = "*\u2020\u2021\u00a7\u00b9\u00b2\u00b3"
CLUE_WORDS = 9  # ours: of a remark that a question quotes
TEXT = 0  # the number of the pseudo-table of values that sentences state


class Value(NamedTuple):
    """What a measure is for a subject, and the evidence for it."""

    subject: str
    text: str
    quantity: Quantity | None
    item: EvidenceItem
    place: int | str


class Limit(NamedTuple):
    """A bound that running text sets: `The limit for the load is 45.`"""

    kind: str
    attribute: str
    value: float
    sentence: ReadPart


@dataclass(frozen=True)
class Measure:
    """A column of a table, or an attribute that sentences give: a value for each subject.

    `named`: its header begins with a proper name, which keeps its capital.
    """

    table: int
    topic: str
    noun: str
    header: str
    values: tuple[Value, ...]
    named: bool = False

    @cached_property
    def unit(self) -> str:
        """The unit in parentheses behind the header."""
        found = _UNIT.match(self.header)
        return found.group(2) if found else ""

    @cached_property
    def short(self) -> str:
        """The header as a noun phrase; things that are counted become `number of ...`."""
        found = _UNIT.match(self.header)
        name = found.group(1) if found else self.header
        name = name if self.named else lower_first(name)
        if self.unit and not is_year(self.unit):
            return f"{name} in {self.unit}"
        counted = self.numeric and (name in _COUNTED or singular(name) != name)
        return f"number of {name}" if counted and " of " not in name else name

    @cached_property
    def long(self) -> str:
        """The header with the table's topic."""
        return f"{self.short} given in the table on {lower_first(self.topic)}" if self.topic else ""

    @cached_property
    def dated(self) -> str:
        """The header with the year of the table's topic, where it has one."""
        years = _IN_TOPIC.findall(self.topic)
        return f"{self.short} in {years[0]}" if len(years) == 1 else ""

    @cached_property
    def names(self) -> frozenset[str]:
        """All phrases that may mean it, in small letters."""
        plain = _UNIT.sub(r"\1", self.header)
        return frozenset(p.casefold() for p in (plain, self.short, self.dated, self.long) if p)

    @property
    def numeric(self) -> bool:
        """Whether every value is a number, and none is a year or a serial number."""
        known = [v.quantity for v in self.values]
        serial = _SERIAL.match(self.header) or all(is_year(v.text) for v in self.values)
        return bool(known) and all(known) and not serial

    def of(self, subject: str) -> Value | None:
        """The value of a subject; None without one, or with several."""
        found = [v for v in self.values if same_subject(v.subject, subject)]
        return found[0] if len(found) == 1 else None


@dataclass(frozen=True)
class Knowledge:
    """The measures of a view, and its sentences, figures and footnotes."""

    view: View

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """Columns in the order of tables, then what sentences state."""
        columns = [m for table in self.view.tables for m in _columns(table, self._proper_names)]
        return (*columns, *_stated(self.view.sentences))

    @cached_property
    def _proper_names(self) -> frozenset[str]:
        texts = (*self.view.sentences, *self.view.figures, *self.view.footnotes)
        topics = (table.topic for table in self.view.tables)
        return frozenset(
            name for text in (*(t.text for t in texts), *topics) for name in _NAME.findall(text)
        )

    def named(self, phrase: str) -> Measure | None:
        """The only measure that a phrase means."""
        wanted = phrase.casefold()
        found = [m for m in self.measures if wanted in m.names]
        return found[0] if len(found) == 1 else None

    def phrase(self, measure: Measure) -> str | None:
        """The shortest phrase that means this measure alone."""
        for phrase in (measure.short, measure.dated, measure.long):
            if phrase and self.named(phrase) is measure:
                return phrase
        return None

    def table_on(self, topic: str) -> DataTable | None:
        """The only table on a topic."""
        wanted = topic.casefold()
        found = [t for t in self.view.tables if t.topic and t.topic.casefold() == wanted]
        return found[0] if len(found) == 1 else None

    @cached_property
    def nouns(self) -> dict[str, str]:
        """What subjects are called, by the plural."""
        return {plural(m.noun): m.noun for m in self.measures if m.noun}

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """All labels of rows, each once."""
        return tuple(dict.fromkeys(v.subject for m in self.measures for v in m.values))

    def described(self) -> Iterator[tuple[str, str, ReadPart]]:
        """Subject, description and sentence: `Osk is the only river that freezes`."""
        for one in self.view.sentences:
            found = _CALLED.match(one.text)
            if found and self.is_subject(found.group(1)):
                yield found.group(1).removeprefix("The "), found.group(2), one

    def pictured(self) -> Iterator[tuple[str, str, ReadPart]]:
        """Subject, clue and figure: captions that name one subject alone; the clue is the rest."""
        for one in self.view.figures:
            caption = topic_of(one.text)
            named = [s for s in self.subjects if mentioned(s, caption)]
            if len(named) != 1:
                continue
            before, _, after = re.sub(
                rf"\b(?:the )?{re.escape(named[0])}\b", "\0", caption, flags=re.I
            ).partition("\0")
            clue = max(before, after, key=lambda part: len(part.split())).strip(" ,.:;")
            if len(clue.split()) >= 3 and '"' not in clue:
                yield named[0], clue, one

    def noted(self) -> Iterator[tuple[str, str, ReadPart, DataTable]]:
        """Subject, clue, footnote and table: rows that carry the mark of a footnote alone."""
        for note in self.view.footnotes:
            mark, text = note.label.strip("()[]. "), _unmarked_note(note)
            clue = " ".join(text.split()[:CLUE_WORDS]).strip(" .,;:")
            if not mark or len(clue.split()) < 3 or '"' in clue:
                continue
            for table in self.view.tables:
                if (table.page or table.section) != (note.page or note.section):
                    continue
                marked = [label for label, _ in table.rows if _carries(label, mark)]
                if len(marked) == 1:
                    yield bare(marked[0]), clue, note, table

    def limits(self) -> Iterator[Limit]:
        """The bounds that sentences set."""
        for one in self.view.sentences:
            for kind, attribute, text in _LIMIT.findall(one.text):
                if found := quantity(text.rstrip(".,")):
                    yield Limit(kind, attribute, found.value, one)

    def is_subject(self, name: str) -> bool:
        """Whether some measure has a value for it."""
        name = name.removeprefix("The ")
        return any(same_subject(name, subject) for subject in self.subjects)


def _columns(table: DataTable, proper_names: frozenset[str]) -> Iterator[Measure]:
    noun = singular(lower_first(table.noun)) if table.noun else "entry"
    for column in table.columns:
        values = [
            Value(
                bare(label),
                text,
                quantity(text.strip(_MARKS + " ")),
                EvidenceItem(
                    modality="table", quote=text, table=table.number, row=label, column=column
                ),
                table.page or table.section,
            )
            for label, text in table.column(column)
            if text and not _TOTAL.search(label)
        ]
        labels = [value.subject.casefold() for value in values]
        if len(set(labels)) == len(labels) and values:
            named = column.split(" ", 1)[0] in proper_names
            yield Measure(table.number, table.topic, noun, column, tuple(values), named)


def _stated(sentences: list[ReadPart]) -> Iterator[Measure]:
    """Attributes that sentences give to subjects: `The depth of Osk is 12 m.`"""
    found: dict[str, list[Value]] = {}
    for one in sentences:
        for attribute, subject, text in _SAID.findall(one.text):
            item = EvidenceItem(modality="text", quote=one.text)
            value = Value(subject, text, quantity(text), item, one.page or one.section)
            found.setdefault(attribute, []).append(value)
    for attribute, values in found.items():
        names = [value.subject for value in values]
        if len(set(names)) == len(names):
            yield Measure(TEXT, "", "", attribute, tuple(values))


def bare(label: str) -> str:
    """A row's label without the marks of footnotes."""
    return label.strip().rstrip(_MARKS).rstrip()


def _carries(label: str, mark: str) -> bool:
    return label.rstrip().endswith(mark) and bare(label) != label.strip() and mark in _MARKS


def _unmarked_note(note: ReadPart) -> str:
    text = note.text.strip()
    return text.removeprefix(note.label).strip() if note.label else text


def same_subject(one: str, other: str) -> bool:
    """Whether two labels are the same but for case, spaces and marks."""
    return bare(one).casefold().split() == bare(other).casefold().split()


def mentioned(subject: str, text: str) -> bool:
    """Whether a text has a subject as whole words."""
    return re.search(rf"(?<!\w){re.escape(subject)}(?!\w)", text, re.I) is not None


def lower_first(text: str) -> str:
    """The text with a small first letter, unless it is an abbreviation or a name in capitals."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if first[1:].islower() or len(first) == 1 else text


def plural(noun: str) -> str:
    """The plural of an English noun, by the common rules."""
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"


def singular(noun: str) -> str:
    """The singular of an English noun, by the common rules."""
    if noun.endswith("ies") and len(noun) > 4:
        return f"{noun[:-3]}y"
    if noun.endswith(("sses", "xes", "ches", "shes")):
        return noun[:-2]
    return noun[:-1] if noun.endswith("s") and not noun.endswith(("ss", "us", "is")) else noun
