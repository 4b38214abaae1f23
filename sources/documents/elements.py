"""What a document consists of: pages, sections, and typed elements as spans of its text.

The text of a document is stored once; pages, elements, list items and sections are spans of it, so
an offset means the same place in all of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import NamedTuple


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
    """Characters `start` to `end` of a document's text; page and box where the format has them.

    An element lies on one page: a paragraph that goes on in the next column or on the next page is
    two elements.
    """

    start: int
    end: int
    page: int | None = None
    box: BoundingBox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentTitle(Element):
    """The title of the whole document, where it is part of the text and opens no section."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading(Element):
    """A heading: its level from 1, and the id of the section it opens ("2.1")."""

    level: int
    section: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph(Element):
    """Running text. `continues`: it goes on with the paragraph before it, cut by a column or page.

    Tables, figures and footnotes may stand between the two parts.
    """

    continues: bool = False


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
    box: BoundingBox | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table(Element):
    """A table; its span includes the caption where the caption is next to the cells.

    `number` counts the tables of the document from 1; `box` is that of the cells.
    """

    cells: tuple[Cell, ...]
    caption: str = ""
    caption_box: BoundingBox | None = None
    number: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        rows = max((cell.row + cell.row_span for cell in self.cells), default=0)
        return rows, max((cell.column + cell.column_span for cell in self.cells), default=0)

    @property
    def html(self) -> str:
        """The cells as an HTML table on one line, without attributes other than spans."""
        rows: dict[int, list[Cell]] = {row: [] for row in range(self.shape[0])}
        for cell in self.cells:
            rows[cell.row].append(cell)
        body = "".join(f"<tr>{''.join(map(_cell_html, row))}</tr>" for row in rows.values())
        return f"<table>{body}</table>"

    def grid(self) -> list[list[Cell | None]]:
        """The cell at each row and column; one that spans several places stands in all of them."""
        rows, columns = self.shape
        grid: list[list[Cell | None]] = [[None] * columns for _ in range(rows)]
        for cell in self.cells:
            for row in range(cell.row, cell.row + cell.row_span):
                for column in range(cell.column, cell.column + cell.column_span):
                    grid[row][column] = cell
        return grid


def _cell_html(cell: Cell) -> str:
    tag = "th" if cell.header else "td"
    spans = "".join(
        f' {name}="{count}"'
        for name, count in (("rowspan", cell.row_span), ("colspan", cell.column_span))
        if count > 1
    )
    return f"<{tag}{spans}>{escape(cell.text)}</{tag}>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure(Element):
    """A figure: a photograph, drawing or chart.

    Its text is its caption and, in PDF, the words drawn in it; it is empty (`start == end`) where
    there are none. `image` is the reference as written in the document; references to other files
    and to addresses are not opened. `alt` is the author's description for readers who do not see
    it. `number` counts the figures of the document from 1; `box` is without the caption.
    """

    caption: str = ""
    caption_box: BoundingBox | None = None
    image: str | None = None
    alt: str = ""
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula(Element):
    """A displayed formula; `latex` is empty where only its characters are known, as in PDF."""

    latex: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footnote(Element):
    """The text of a footnote.

    `label` is the mark that refers to it; `marks` are the offsets at which that mark was found in
    the document's text.
    """

    label: str = ""
    marks: tuple[int, ...] = ()


class Section(NamedTuple):
    """A part of a document from its heading to the next heading of its depth or a higher one.

    `id` numbers it within its parents ("2.1"). Text before the first heading is section 1 with
    the document's title, after DocDancer's preprocessing. `page` and `end_page` are those of its
    first and last element.
    """

    id: str
    title: str
    start: int
    end: int
    page: int | None = None
    end_page: int | None = None

    @property
    def depth(self) -> int:
        """How deep it is nested, from 1."""
        return self.id.count(".") + 1


def union_of(boxes: Iterator[BoundingBox] | list[BoundingBox]) -> BoundingBox | None:
    """The smallest box around all; None around nothing."""
    found = list(boxes)
    if not found:
        return None
    x0, y0, x1, y1 = zip(*found, strict=True)
    return BoundingBox(min(x0), min(y0), max(x1), max(y1))
