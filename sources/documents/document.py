"""A document as a tree of elements over its text, and a passage of it.

The text of a document is stored once; pages, elements, list items, sections and passages are spans
of it, so an offset means the same place in all of them.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

from synthmill.schemas.base import Record
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.lineage import SourceRef

ID_LENGTH = 20  # hex digits: 80 bits, odds of a clash below 1e-12 at 1e6 passages
# A blank line or the end of a page ends a paragraph.
_BREAK = re.compile(r"\n[^\S\n]*\n\s*|\f\s*")


class BoundingBox(NamedTuple):
    """A rectangle on a page, in points (1/72 inch); the origin is the page's top left corner."""

    x0: float
    y0: float
    x1: float
    y1: float


class Page(NamedTuple):
    """A page: its number from 1, its size in points as it is shown, its span of the text."""

    number: int
    width: float
    height: float
    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """Characters `start` to `end` of a document's text; page and box where the format has them."""

    start: int
    end: int
    page: int | None = None
    box: BoundingBox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading(Element):
    """A heading: its level from 1, and the id of the section it opens ("2.1")."""

    level: int
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph(Element):
    """Running text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBlock(Element):
    """Preformatted text."""


class ListItem(NamedTuple):
    """An item of a list, without its bullet; lists within lists have deeper levels, from 1."""

    start: int
    end: int
    level: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ListElement(Element):
    """A list with all lists within it."""

    items: tuple[ListItem, ...]
    ordered: bool = False


class Cell(NamedTuple):
    """A cell of a table: its text, its first row and column from 0, and how many it spans."""

    text: str
    row: int
    column: int
    row_span: int = 1
    column_span: int = 1
    header: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Element):
    """A table; its span includes the caption where the caption is next to the cells."""

    cells: tuple[Cell, ...]
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Element):
    """A figure. `image` is the reference as written in the document; it is never followed."""

    caption: str = ""
    image: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula(Element):
    """A displayed formula."""

    latex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Footnote(Element):
    """The text of a footnote; `label` is the mark that refers to it."""

    label: str = ""


# Elements in the order of the text, without overlap, or a function that computes them from the text
# when they are first needed: a corpus of passages needs none of them.
Structure: TypeAlias = tuple[Element, ...] | Callable[[str], tuple[Element, ...]]


class Section(NamedTuple):
    """A part of a document from its heading to the next heading of its depth or a higher one.

    `id` numbers it within its parents ("2.1"). Text before the first heading is section 1 with
    the document's title, after DocDancer's preprocessing.
    """

    id: str
    title: str
    start: int
    end: int
    page: int | None = None


class StructureBuilder:
    """Collects elements in the order of the text and numbers the sections of headings."""

    def __init__(self) -> None:
        self._elements: list[Element] = []
        self._open: list[tuple[float, int]] = []  # level and number of the enclosing sections

    def add(self, element: Element) -> None:
        """Append an element other than a heading."""
        if not self._elements:
            self._open = [(float("inf"), 1)]
        self._elements.append(element)

    def add_heading(
        self,
        start: int,
        end: int,
        level: int,
        page: int | None = None,
        box: BoundingBox | None = None,
    ) -> None:
        """Append a heading; a skipped level leaves no gap in the numbers."""
        number = 1
        while self._open and self._open[-1][0] >= level:
            number = self._open.pop()[1] + 1
        self._open.append((level, number))
        section = ".".join(str(number) for _, number in self._open)
        self._elements.append(
            Heading(start=start, end=end, level=level, section=section, page=page, box=box)
        )

    def add_paragraphs(self, text: str, start: int, end: int) -> None:
        """Append a paragraph for each block of lines between two offsets."""
        for first, last in paragraph_spans(text, start, end):
            self.add(Paragraph(start=first, end=last))

    def elements(self) -> tuple[Element, ...]:
        """All elements so far."""
        return tuple(self._elements)


def paragraph_spans(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans between blank lines and page ends, stripped of white space."""
    for found in (*_BREAK.finditer(text, start, end), None):
        block = text[start : found.start() if found else end]
        if block.strip():
            left = start + len(block) - len(block.lstrip())
            yield left, start + len(block.rstrip())
        start = found.end() if found else end


def paragraphs(text: str) -> tuple[Element, ...]:
    """The structure of plain text: paragraphs between blank lines."""
    return tuple(Paragraph(start=s, end=e) for s, e in paragraph_spans(text, 0, len(text)))


@dataclass(frozen=True)
class Document:
    """A text to work on, with its structure.

    `key` is stable and unique within its source (a path, with the record's number where a file
    holds many). Offsets count in `text`, also where it was taken out of HTML or PDF, and `sha256`
    is its hash.
    """

    key: str
    uri: str
    title: str
    text: str
    license: str | None = None
    pages: tuple[Page, ...] = ()
    structure: Structure = paragraphs

    @property
    def sha256(self) -> str:
        """Hash of the text that offsets count in."""
        return sha256_text(self.text)

    @cached_property
    def elements(self) -> tuple[Element, ...]:
        """The elements in the order of the text, without overlap."""
        return self.structure(self.text) if callable(self.structure) else self.structure

    def text_of(self, part: Element | ListItem | Section | Page) -> str:
        """The text of an element, list item, section or page."""
        return self.text[part.start : part.end]

    def outline(self) -> tuple[Section, ...]:
        """The sections in order, each before its subsections; no element is outside of all."""
        headings = [element for element in self.elements if isinstance(element, Heading)]
        found: list[Section] = []
        # Backwards: a section ends where the next one at its depth or a higher one begins.
        ends: list[tuple[int, int]] = []
        for heading in reversed(headings):
            depth, start = heading.section.count("."), self._line_start(heading)
            while ends and ends[-1][0] > depth:
                ends.pop()
            end = ends[-1][1] if ends else len(self.text)
            ends.append((depth, start))
            title = " ".join(self.text_of(heading).split())
            found.append(Section(heading.section, title, start, end, heading.page))
        if self.elements and not isinstance(self.elements[0], Heading):
            end = found[-1].start if found else len(self.text)
            found.append(Section("1", self.title, 0, end, self.elements[0].page))
        return tuple(reversed(found))

    def _line_start(self, heading: Heading) -> int:
        """Where the line of a heading begins, before the `#` of Markdown."""
        start = self.text.rfind("\n", 0, heading.start) + 1
        return heading.start if self.text[start : heading.start].strip("# \t") else start


class Passage(Record):
    """Characters `start` to `end` of a document's text."""

    id: str
    document: str
    uri: str
    sha256: str
    title: str
    license: str | None = None
    start: int
    end: int
    text: str

    @property
    def origin(self) -> SourceRef:
        """The passage as lineage."""
        return self.origin_of(0, len(self.text))

    def origin_of(self, start: int, end: int) -> SourceRef:
        """Characters `start` to `end` of the passage as lineage, in offsets of the document."""
        return SourceRef(
            uri=self.uri,
            sha256=self.sha256,
            title=self.title,
            license=self.license,
            start=self.start + start,
            end=self.start + end,
        )


def passage_of(document: Document, sha256: str, start: int, end: int) -> Passage:
    """The passage between two offsets; its id is a hash of document, place and content."""
    name = sha256_text(f"{document.key}\n{sha256}\n{start}\n{end}")[:ID_LENGTH]
    return Passage(
        id=name,
        document=document.key,
        uri=document.uri,
        sha256=sha256,
        title=document.title,
        license=document.license,
        start=start,
        end=end,
        text=document.text[start:end],
    )
