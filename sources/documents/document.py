"""A document: its text, its pages, and the tree of elements over it."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from synthmill.schemas.identity import sha256_text
from synthmill.sources.documents.elements import (
    Element,
    Figure,
    ListItem,
    Page,
    Section,
    Table,
)
from synthmill.sources.documents.structure import paragraphs, sections_of
from synthmill.sources.reading.files import InputFile

# Elements in the order of the text, without overlap, or a function that computes them from the text
# when they are first needed: a corpus of passages needs none of them.
Structure: TypeAlias = Sequence[Element] | Callable[[str], Sequence[Element]]


@dataclass(frozen=True)
class OriginalFile:
    """The file that a document was read from, for pictures of its pages.

    `sha256` is the hash of its bytes; a file that has changed since is refused.
    """

    file: InputFile
    sha256: str


@dataclass(frozen=True)
class Document:
    """A text to work on, with its structure.

    `key` is stable and unique within its source (a path, with the record's number where a file
    holds many). Offsets count in `text`, also where it was taken out of HTML or PDF, and `sha256`
    is its hash. `original` is set where pictures can be made (`sources.documents.pictures`).
    """

    key: str
    uri: str
    title: str
    text: str
    license: str | None = None
    pages: Sequence[Page] = ()
    structure: Structure = paragraphs
    original: OriginalFile | None = None

    @cached_property
    def sha256(self) -> str:
        """Hash of the text that offsets count in."""
        return sha256_text(self.text)

    @cached_property
    def elements(self) -> Sequence[Element]:
        """The elements in the order of the text, without overlap.

        Those of a parsed file are read from the cache one by one: iterate, and keep what is needed.
        """
        return self.structure(self.text) if callable(self.structure) else self.structure

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The sections in order, each before its subsections; no element is outside of all."""
        return sections_of(self.elements, self.text, self.title)

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The tables; that of number n is at n - 1."""
        return tuple(element for element in self.elements if isinstance(element, Table))

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """The figures; that of number n is at n - 1."""
        return tuple(element for element in self.elements if isinstance(element, Figure))

    def text_of(self, part: Element | ListItem | Section | Page) -> str:
        """The text of an element, list item, section or page."""
        return self.text[part.start : part.end]

    def elements_in(self, part: Section | Page) -> Sequence[Element]:
        """The elements of a section (with its subsections) or of a page."""
        # A figure without text may stand at the very end of a page.
        end = part.end + isinstance(part, Page)
        first = bisect_left(self.elements, part.start, key=lambda element: element.start)
        last = bisect_left(self.elements, end, key=lambda element: element.start)
        return self.elements[first:last]

    def section_at(self, offset: int) -> Section | None:
        """The innermost section that holds an offset of the text."""
        inside = [s for s in self.sections if s.start <= offset < max(s.end, s.start + 1)]
        return inside[-1] if inside else None

    def page_at(self, offset: int) -> Page | None:
        """The page that holds an offset of the text; None in formats without pages."""
        at = bisect_left(self.pages, offset + 1, key=lambda page: page.start) - 1
        return self.pages[at] if self.pages and at >= 0 else None

    def parents_of(self, section: Section) -> tuple[Section, ...]:
        """The sections that a section is within, from the outermost on, without itself."""
        return tuple(s for s in self.sections if section.id.startswith(f"{s.id}."))
