"""What the rules read: tables, sentences, figures and footnotes in a document's XML view.

The views may be cut anywhere, so they are read by a parser that never fails.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple

from synthmill.generators.docdancer.tables import DataTable, data_from_grid
from synthmill.sources.documents.elements import Cell, Table

MAX_SPAN = 50  # ours: of a cell; larger ones are written by mistake or malice
_STOP = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")


class ReadPart(NamedTuple):
    """A sentence, caption or footnote: its text, its number or label, its page and section."""

    text: str
    page: int | None
    section: str
    number: int = 0
    label: str = ""


@dataclass
class View:
    """What was read so far, each part once."""

    tables: list[DataTable] = field(default_factory=list)
    sentences: list[ReadPart] = field(default_factory=list)
    figures: list[ReadPart] = field(default_factory=list)
    footnotes: list[ReadPart] = field(default_factory=list)


def read_view(texts: Iterable[str]) -> View:
    """Everything in XML views, and in the observations that quote them."""
    view = View()
    for text in texts:
        parser = _ViewParser(view)
        parser.feed(text)
        parser.close()
    # The same table may come from an outline, a search and a reading.
    view.tables = list({table.number: table for table in view.tables}.values())
    view.sentences = list({(p.text, p.page): p for p in view.sentences}.values())
    view.figures = list({p.number: p for p in view.figures}.values())
    view.footnotes = list({(p.text, p.page): p for p in view.footnotes}.values())
    return view


class _ViewParser(HTMLParser):
    """Collects elements; `Item` elements of search results count as what their type says."""

    def __init__(self, view: View) -> None:
        super().__init__(convert_charrefs=True)
        self._view = view
        self._sections: list[str] = []
        self._kind = ""
        self._attributes: dict[str, str] = {}
        self._text: list[str] = []
        self._cells: list[Cell] = []
        self._taken: set[tuple[int, int]] = set()
        self._row = -1
        self._cell: Cell | None = None
        self._parts: dict[str, str] = {}
        self._part = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "section":
            self._sections.append(given.get("section_id", ""))
        elif tag in ("paragraph", "image", "html_table", "footnote", "item"):
            self._kind = given.get("type", tag).lower()
            self._attributes = given
            self._text, self._parts, self._cells, self._row = [], {}, [], -1
            self._taken = set()
            if "first_sentence" in given:
                self._add_sentences(given["first_sentence"])
        elif tag in ("caption", "alt_text"):
            self._part, self._text = tag, []
        elif tag == "tr":
            self._row += 1
        elif tag in ("td", "th") and self._row >= 0:
            column = 0
            while (self._row, column) in self._taken:
                column += 1
            rows, columns = _span(given.get("rowspan")), _span(given.get("colspan"))
            self._cell = Cell("", self._row, column, rows, columns, tag == "th")
            self._taken |= {
                (self._row + r, column + c) for r in range(rows) for c in range(columns)
            }
            self._text = []

    def handle_data(self, data: str) -> None:
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._text).split())
        if tag == "section" and self._sections:
            self._sections.pop()
        elif tag in ("caption", "alt_text"):
            self._parts[tag] = text
        elif tag in ("td", "th") and self._cell is not None:
            self._cells.append(self._cell._replace(text=text))
            self._cell = None
        elif tag in ("paragraph", "image", "html_table", "footnote", "item") and self._kind:
            self._end_element(text)
            self._kind = ""

    def _end_element(self, text: str) -> None:
        page, section = self._place()
        if self._kind == "html_table":
            self._add_table(page, section)
        elif self._kind == "image":
            shown = self._parts.get("caption", "")
            number = _number(self._attributes.get("image_id")) or 0
            self._view.figures.append(ReadPart(shown, page, section, number))
        elif self._kind == "footnote":
            label = self._attributes.get("label", "")
            self._view.footnotes.append(ReadPart(text, page, section, label=label))
        elif self._kind == "paragraph":
            self._add_sentences(text)

    def _add_table(self, page: int | None, section: str) -> None:
        rows = max((c.row + c.row_span for c in self._cells), default=0)
        kept = tuple(c._replace(row_span=min(c.row_span, rows - c.row)) for c in self._cells)
        grid = Table(start=0, end=0, cells=kept).grid()
        number = _number(self._attributes.get("table_id")) or 0
        caption = self._parts.get("caption", "")
        found = data_from_grid(grid, number, page, section, caption)
        if found is not None:
            self._view.tables.append(found)

    def _add_sentences(self, text: str) -> None:
        page, section = self._place()
        for sentence in _STOP.split(" ".join(text.split())):
            if sentence:
                self._view.sentences.append(ReadPart(sentence, page, section))

    def _place(self) -> tuple[int | None, str]:
        inner = self._sections[-1] if self._sections else ""
        section = self._attributes.get("section_id", inner)
        return _number(self._attributes.get("page_num")), section


def _span(text: str | None) -> int:
    return min(max(1, _number(text) or 1), MAX_SPAN)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else None
