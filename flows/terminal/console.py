"""The terminal: where text goes, and what it may do there."""

from datetime import timedelta

from rich.console import Console
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
    """Text of any origin for the terminal: never markup, never control sequences.

    The style is that of these letters alone, also when other text is added.
    """
    return Text.assemble((content.translate(CONTROLS), style))


def duration(seconds: float) -> str:
    """`1:02:03`, without fractions."""
    return str(timedelta(seconds=round(seconds)))


def counted(number: int, thing: str) -> str:
    """`1 row`, `2,000 rows`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
