"""Tables as data: named columns, labelled rows, and what a cell's text is as a number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import Cell, Table

_NUMBER = re.compile(r"[-\u2212+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?%?")
_YEAR = re.compile(r"(?:1[5-9]|20|21)\d\d")
_CAPTION_NUMBER = re.compile(
    r"^\s*(?:table|tab\.|figure|fig\.|chart|exhibit)\s*[A-Z]?[\d.]*\s*[:.\u2013\u2014-]?\s*", re.I
)


class Quantity(NamedTuple):
    """A number as a table writes it: its value, its decimals, whether it is a percentage."""

    value: float
    decimals: int
    percent: bool


@dataclass(frozen=True)
class DataTable:
    """A table with a header: `noun` heads the labels, `columns` the values of each row.

    `page` and `section` say where it is, `number` is that of the document, `topic` its caption
    without its number.
    """

    number: int
    page: int | None
    section: str
    topic: str
    noun: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]

    def value(self, row: str, column: str) -> str | None:
        """The text of a cell by its labels; None where a label is missing or not unique."""
        columns = [n for n, name in enumerate(self.columns) if _same(name, column)]
        rows = [values for label, values in self.rows if _same(label, row)]
        if len(columns) != 1 or len(rows) != 1:
            return None
        return rows[0][columns[0]]

    def column(self, name: str) -> list[tuple[str, str]]:
        """Label and text of every row in a column."""
        at = self.columns.index(name)
        return [(label, values[at]) for label, values in self.rows]


def quantity(text: str) -> Quantity | None:
    """The number that a cell holds and nothing else; None for all other texts."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    plain = text.rstrip("%").replace(",", "").replace("\u2212", "-")
    return Quantity(float(plain), len(plain.partition(".")[2]), text.endswith("%"))


def topic_of(caption: str) -> str:
    """A caption without its number, so that it names its content alone."""
    return " ".join(_CAPTION_NUMBER.sub("", caption).split()).rstrip(" .:")


def data_table(table: Table, document: Document | None = None) -> DataTable | None:
    """A table as data; None where it has no header row, no labels, or fewer than two columns."""
    section = document.section_at(table.start) if document is not None else None
    return data_from_grid(
        table.grid(), table.number, table.page, section.id if section else "", table.caption
    )


def data_from_grid(
    grid: Sequence[Sequence[Cell | None]], number: int, page: int | None, section: str, caption: str
) -> DataTable | None:
    """See `data_table`; cells at each row and column."""
    heads = _header_rows(grid)
    if not heads or len(grid) <= heads or len(grid[0]) < 2:
        return None
    names = [_joined(grid, heads, column) for column in range(len(grid[0]))]
    rows = [
        (_text(row[0]), tuple(_text(cell) for cell in row[1:]))
        for row in grid[heads:]
        if _text(row[0])
    ]
    columns = tuple(names[1:])
    if not rows or not all(columns) or len(set(columns)) < len(columns):
        return None
    return DataTable(number, page, section, topic_of(caption), names[0], columns, tuple(rows))


def _header_rows(grid: Sequence[Sequence[Cell | None]]) -> int:
    """How many rows head the table: those marked, else the first if it is no row of values."""
    marked = 0
    while marked < len(grid) and all(c is None or c.header for c in grid[marked]):
        marked += 1
    if marked:
        return marked
    first = [_text(cell) for cell in grid[0][1:]] if grid else []
    named = bool(first) and all(text and (not quantity(text) or is_year(text)) for text in first)
    return 1 if named else 0


def is_year(text: str) -> bool:
    """Whether a text is a year, as headers and labels are."""
    return _YEAR.fullmatch(text.strip()) is not None


def _joined(grid: Sequence[Sequence[Cell | None]], heads: int, column: int) -> str:
    """The texts that head a column from the top, a spanning one once."""
    return " ".join(dict.fromkeys(t for row in grid[:heads] if (t := _text(row[column]))))


def _text(cell: Cell | None) -> str:
    return " ".join(cell.text.split()) if cell else ""


def _same(one: str, other: str) -> bool:
    return one.casefold().split() == other.casefold().split()
