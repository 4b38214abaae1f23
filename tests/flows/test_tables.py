"""Tables on wide and narrow terminals."""

from rich.console import Console

from synthmill.flows.terminal.console import print_table

HEADINGS = ("run", "accepted", "reason")
ID = "letters-20261120-093000-3f2a"
ROWS = [(ID, 1200, "too much like a row that stands there already"), ("b", 0, None)]


def shown(width: int) -> list[str]:
    console = Console(width=width, record=True, quiet=False, force_terminal=False)
    print_table(console, HEADINGS, ROWS)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_table_where_it_fits() -> None:
    heading, _, first, second = shown(100)
    assert heading.split() == list(HEADINGS)
    assert first.split(maxsplit=2) == [ID, "1,200", ROWS[0][2]]
    assert second.split() == ["b", "0"]
    assert heading.index("accepted") + len("accepted") == first.index("1,200") + len("1,200")


def test_texts_are_folded_between_words_and_names_stay_whole() -> None:
    lines = shown(60)
    assert any(line.startswith(f"{ID}     1,200  too much") for line in lines)
    words = " ".join(line[len(ID) :] for line in lines[2:]).split()
    assert " ".join(words) == "1,200 too much like a row that stands there already 0"


def test_a_paragraph_for_each_row_where_it_does_not_fit() -> None:
    assert shown(40) == [
        f"run: {ID}",
        "  accepted: 1,200; reason: too much like",
        "  a row that stands there already",
        "run: b",
        "  accepted: 0",
    ]
