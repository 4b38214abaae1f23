"""The terminal: where text goes, and how tables and quantities look everywhere."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Texts of models and documents must not move the cursor or change the terminal: control characters
# are shown as the pictures that Unicode has for them.
CONTROLS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
CONTROLS |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)
PLAIN_WIDTH = 120  # of tables that go to a file or a pipe


def output() -> Console:
    """The console of results: standard output, without guesses about markup."""
    console = Console(markup=False, highlight=False, emoji=False, soft_wrap=False)
    return (
        console
        if console.is_terminal
        else Console(markup=False, highlight=False, emoji=False, width=PLAIN_WIDTH)
    )


def text(content: str, style: str = "") -> Text:
    """Text of any origin for the terminal: never markup, never control sequences."""
    return Text(content.translate(CONTROLS), style)


def plain_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table without frills; columns of numbers stand right, and cells are never markup."""
    cells = [list(row) for row in rows]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for place, heading in enumerate(headings):
        numeric = bool(cells) and all(isinstance(row[place], int | float | None) for row in cells)
        table.add_column(text(heading), justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        table.add_row(*(text(cell_text(cell)) for cell in row))
    return table


def cell_text(value: object) -> str:
    """A value as it stands in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    """`1:02:03`, without fractions."""
    return str(timedelta(seconds=round(seconds)))
