"""The terminal: safe text, and tables that become paragraphs where it is too narrow."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

# Texts of models and documents must not move the cursor or change the terminal: control characters
# are shown as the pictures that Unicode has for them.
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
CONTROLS |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
PLAIN_WIDTH = 120  # of tables in a file or a pipe


def output() -> Console:
    """The console of results: standard output, without guesses about markup."""
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=False)
    return (
        console
        if console.is_terminal
        else Console(markup=False, highlight=False, emoji=False, width=PLAIN_WIDTH)
    )


def safe(content: str) -> str:
    """Text of any origin without control sequences."""
    return content.translate(CONTROLS)


def text(content: str, style: str = "") -> Text:
    """Text of any origin for the terminal: never markup, never control sequences.

    The style is that of these letters alone, also when other text is added.
    """
    return Text.assemble((safe(content), style))


GAP = 2  # between columns
SHORT_CELL = 12  # minimum width of a column of texts, which fold between words

Cells = Sequence[Sequence[object]]


def print_table(
    console: Console, headings: Sequence[str], rows: Iterable[Sequence[object]]
) -> None:
    """Print a table, or a paragraph for each row where the columns do not fit side by side."""
    cells = [list(row) for row in rows]
    if fits(headings, cells, console.width):
        console.print(plain_table(headings, cells))
        return
    for row in cells:
        first, *others = (
            text(f"{heading}: ", "cyan") + text(cell_text(cell))
            for heading, cell in zip(headings, row, strict=True)
            if cell not in (None, "")
        )
        console.print(first, soft_wrap=True)
        console.print(Padding(Text("; ").join(others), (0, 0, 0, 2)))


def plain_table(headings: Sequence[str], cells: Cells, separators: bool = True) -> Table:
    """A plain table; numbers are aligned right, and cells are never markup.

    `separators=False` is for numbers that may be ids or seeds.
    """
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, GAP - 1, 0, 0),  # the box itself puts a space between columns
        pad_edge=False,
        show_edge=False,
        header_style="bold",
    )
    for heading, column in zip(headings, _columns(headings, cells), strict=True):
        table.add_column(
            text(heading),
            justify="right" if _numeric(column) else "left",
            overflow="fold",
            no_wrap=_whole(column),
        )
    for row in cells:
        table.add_row(*(text(cell_text(cell, separators)) for cell in row))
    return table


def fits(headings: Sequence[str], cells: Cells, width: int) -> bool:
    """Whether a table fits into `width` columns of the screen without breaking a word."""
    needed = [
        max([len(heading), *(len(cell_text(cell)) for cell in column)])
        if _whole(column)
        else max(SHORT_CELL, *map(len, heading.split()))
        for heading, column in zip(headings, _columns(headings, cells), strict=True)
    ]
    return sum(needed) + GAP * (len(needed) - 1) <= width


def cell_text(value: object, separators: bool = True) -> str:
    """A value as text of a table's cell; integers with separators of thousands."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}" if separators else str(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _columns(headings: Sequence[str], cells: Cells) -> list[list[object]]:
    return [[row[place] for row in cells] for place in range(len(headings))]


def _numeric(column: Sequence[object]) -> bool:
    return bool(column) and all(isinstance(cell, int | float | None) for cell in column)


def _whole(column: Sequence[object]) -> bool:
    """Whether the cells are single words (names, ids, numbers), which must not be folded."""
    return not any(" " in cell_text(cell) for cell in column)
