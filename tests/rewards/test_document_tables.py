"""TEDS against worked values and a plain tree edit distance; HTML and OTSL as hostile input."""

import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from synthmill.rewards import reward
from synthmill.rewards.document_tables import (
    MAX_ROWS,
    TableCell,
    parse_table,
    table_html,
    table_otsl,
    teds,
)

CELLS = st.builds(TableCell, st.sampled_from(["", "a", "ab", "12"]), st.integers(1, 2), st.just(1))
TABLES = st.lists(st.lists(CELLS, max_size=3), max_size=3)


def grid(rows: int, columns: int, changed: int = 0) -> str:
    """A table of numbers, of which the first `changed` have another last digit."""
    numbers = [[f"{10 * r + c}.{r % 10}" for c in range(columns)] for r in range(rows)]
    for at in range(changed):
        numbers[at // columns][at % columns] += "7"
    return table_html([[TableCell(text) for text in row] for row in numbers])


def plain_distance(first, second) -> float:
    """The tree edit distance by its textbook recursion over forests, without any shortcut.

    A tree is (label, children); rows are labeled "tr", and cells by themselves.
    """

    @cache
    def forest(one, other) -> float:
        if not one or not other:
            return float(sum(map(size, one or other)))
        (label, children), (other_label, other_children) = one[-1], other[-1]
        return min(
            forest(one[:-1] + children, other) + 1,
            forest(one, other[:-1] + other_children) + 1,
            forest(children, other_children)
            + forest(one[:-1], other[:-1])
            + rename(label, other_label),
        )

    def size(tree) -> int:
        return 1 + sum(map(size, tree[1]))

    def rename(one, other) -> float:
        if isinstance(one, str) or isinstance(other, str):
            return float(one != other)
        if one[1:] != other[1:]:
            return 1.0
        return Levenshtein.normalized_distance(one.text, other.text)

    trees = [
        (("table", tuple(("tr", tuple((cell, ()) for cell in row)) for row in rows)),)
        for rows in (first, second)
    ]
    return forest(*trees)


def test_teds_of_worked_values():
    """Four cells in two rows are six nodes: a changed cell costs its edits, a lost row three."""
    table = "<table><tr><td>ab</td><td>c</td></tr><tr><td>d</td><td>e</td></tr></table>"
    assert teds(table, table) == 1.0
    assert teds(table.replace("ab", "ax"), table) == pytest.approx(1 - 0.5 / 6)
    assert teds(table.replace("<tr><td>d</td><td>e</td></tr>", ""), table) == pytest.approx(0.5)
    assert teds(table.replace("<td>d", '<td colspan="2">d'), table) == pytest.approx(1 - 1 / 6)
    assert teds(table.replace("ab", "zz"), table, structure_only=True) == 1.0
    assert teds("", table) == teds("no table", table) == 0.0


def test_head_and_body_make_no_difference():
    plain = "<table><tr><td>a</td></tr><tr><td>b</td></tr></table>"
    formal = "<table><thead><tr><th><b>a</b></th></tr></thead><tbody><tr><td> b"
    assert teds(plain, formal) == 1.0


@given(TABLES, TABLES)
def test_teds_is_the_tree_edit_distance(first, second):
    """Compared with the recursion over forests of any shape."""
    one, other = table_html(first), table_html(second)
    nodes = [sum(1 + len(row) for row in rows) for rows in (first, second)]
    if not all(nodes):
        assert teds(one, other) == float(nodes[0] == nodes[1])
        return
    distance = plain_distance(tuple(map(tuple, first)), tuple(map(tuple, second)))
    assert teds(one, other) == pytest.approx(max(0, 1 - distance / max(nodes)))
    assert teds(one, other) == pytest.approx(teds(other, one))


def test_a_table_of_60_rows_is_exact_and_fast():
    """One digit more in three cells of 480; the time is that of a busy machine."""
    first, second = grid(60, 8, changed=3), grid(60, 8)
    started = time.process_time()
    score = teds(first, second)
    assert time.process_time() - started < 3
    assert 1 - 3 * 0.34 / 540 < score < 1


def test_a_large_table_is_compared_row_by_row():
    """A lost row of a table of 12,000 cells costs its nodes."""
    first, second = grid(400, 30), grid(399, 30)
    assert teds(first, first) == 1.0
    assert teds(first, second) == pytest.approx(1 - 31 / (400 * 31))


def test_rows_beyond_the_bound_count_as_missing():
    assert parse_table(grid(MAX_ROWS + 50, 1)).beyond == 100
    assert teds(grid(MAX_ROWS + 50, 1), grid(MAX_ROWS, 1)) == pytest.approx(1 - 100 / 2100)


@pytest.mark.parametrize(
    ("otsl", "rows"),
    [
        ("<fcel>a<lcel><nl><fcel>b<fcel>c<nl>", [[("a", 2, 1)], [("b", 1, 1), ("c", 1, 1)]]),
        ("<fcel>a<fcel>b<nl><ucel><fcel>c<nl>", [[("a", 1, 2), ("b", 1, 1)], [("c", 1, 1)]]),
        ("<fcel>a<lcel><nl><ucel><xcel><nl>", [[("a", 2, 2)], []]),
        ("<lcel><fcel>x &lt; y<nl>", [[("", 1, 1), ("x < y", 1, 1)]]),
        ("<ecel><nl><nl><fcel>z", [[("", 1, 1)], [], [("z", 1, 1)]]),
    ],
)
def test_otsl_spans(otsl, rows):
    assert [[tuple(cell) for cell in row] for row in parse_table(otsl).rows] == rows


def test_spans_survive_otsl_and_html():
    rows = [[TableCell("a", 2, 1), TableCell("b", 1, 2)], [TableCell("c"), TableCell("")]]
    assert table_otsl(rows) == "<fcel>a<lcel><fcel>b<nl><fcel>c<ecel><ucel><nl>"
    assert list(map(list, parse_table(table_otsl(rows)).rows)) == rows
    assert list(map(list, parse_table(table_html(rows)).rows)) == rows


@given(st.text(alphabet='<>/tdrhable "=colspan19x', max_size=80), st.text(max_size=20))
def test_any_text_is_read(broken, text):
    parse_table(broken)
    assert 0 <= teds(broken, text) <= 1


def test_hostile_tables_are_bounded():
    """Deep nesting, absurd spans, and a cell of a megabyte."""
    nested = "<table><tr><td>" * 5000
    assert len(parse_table(nested).rows) == 1
    spans = '<table><tr><td colspan="99999999999" rowspan="-1">a</td></tr></table>'
    assert parse_table(spans).rows[0][0] == ("a", 1, 1)
    assert teds("<table><tr><td>" + "x" * 1_000_000, "<table><tr><td>x") < 0.6


def test_the_reward_reads_otsl_and_html():
    score = reward("document.table@1")
    assert score("<fcel>a<nl>", "<table><tr><td>a</td></tr></table>") == 1.0
    assert reward("document.table_structure@1")("<fcel>b<nl>", "<fcel>a<nl>") == 1.0
