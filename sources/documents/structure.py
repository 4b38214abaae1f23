"""Building a document's structure: numbered sections, paragraphs, figures and tables in order."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from synthmill.sources.documents.elements import (
    BoundingBox,
    Element,
    Figure,
    Heading,
    Paragraph,
    Section,
    Table,
)

# Sections nested deeper than this do not exist: their headings are paragraphs. The bound of
# DocDancer's preprocessing.
MAX_DEPTH = 10
# A blank line or the end of a page ends a paragraph.
_BREAK = re.compile(r"\n[^\S\n]*\n\s*|\f\s*")


class StructureBuilder:
    """Collects elements in the order of the text and numbers sections, tables and figures."""

    def __init__(self) -> None:
        self._elements: list[Element] = []
        self._open: list[tuple[float, int]] = []  # level and number of the enclosing sections
        self._tables = self._figures = 0

    def add(self, element: Element) -> None:
        """Append an element other than a heading."""
        if not self._elements:
            self._open = [(float("inf"), 1)]
        if isinstance(element, Table):
            self._tables += 1
            element = replace(element, number=self._tables)
        elif isinstance(element, Figure):
            self._figures += 1
            element = replace(element, number=self._figures)
        self._elements.append(element)

    def add_heading(
        self,
        start: int,
        end: int,
        level: int,
        page: int | None = None,
        box: BoundingBox | None = None,
    ) -> None:
        """Append a heading; a skipped level leaves no gap in the numbers.

        One that is nested deeper than `MAX_DEPTH` becomes a paragraph.
        """
        outer, number = list(self._open), 1
        while outer and outer[-1][0] >= level:
            number = outer.pop()[1] + 1
        if len(outer) == MAX_DEPTH:
            self.add(Paragraph(start=start, end=end, page=page, box=box))
            return
        self._open = [*outer, (level, number)]
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


def sections_of(elements: Iterable[Element], text: str, title: str) -> tuple[Section, ...]:
    """The sections in order, each before its subsections; no element is outside of all.

    `title` names the section of what stands before the first heading.
    """
    found: list[Section] = []
    pages: list[int | None] = []  # the last page of each
    enclosing: list[int] = []  # places in `found` of the sections that are not over yet
    for element in elements:
        if isinstance(element, Heading) or not found:
            start, name = 0, "1"
            if isinstance(element, Heading):
                start, name = _line_start(text, element.start), element.section
                title = " ".join(text[element.start : element.end].split())
            while enclosing and found[enclosing[-1]].depth > name.count("."):
                over = enclosing.pop()
                found[over] = found[over]._replace(end=start)
            enclosing.append(len(found))
            found.append(Section(name, title, start, len(text), element.page))
            pages.append(element.page)
        for place in enclosing:
            pages[place] = element.page or pages[place]
    return tuple(
        section._replace(end_page=page) for section, page in zip(found, pages, strict=True)
    )


def _line_start(text: str, start: int) -> int:
    """Where the line of a heading begins, before the `#` of Markdown."""
    line = text.rfind("\n", 0, start) + 1
    return start if text[line:start].strip("# \t") else line
