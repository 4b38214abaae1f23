"""Tables of parsed documents: HTML and OTSL, and their similarity TEDS.

TEDS (Zhong et al. 2020, arXiv 1911.10683, section 4) is ``1 - d / max(n, m)``, with the tree edit
distance d between two tables and their numbers of nodes n and m. A table is a tree of rows and
cells; inserting or deleting a node costs 1, and so does renaming a cell with another span; else
two cells cost the normalized edit distance of their texts. As in OmniDocBench, `thead`, `tbody`
and `th` make no difference, and formatting within cells is ignored.

This file needs the standard library alone, and is faster with rapidfuzz. Import it, or copy it, and
use it as

* a verl custom reward function: ``custom_reward_function.path=document_tables.py``
  ``custom_reward_function.name=compute_score``
* a TRL or ms-swift reward function: `trl_reward` (columns `ground_truth` or `solution`)
"""

import html
import re
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from html.parser import HTMLParser
from typing import Any, NamedTuple


def bit_parallel_distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """The Levenshtein distance, in parallel over the bits of an integer (Hyyro 2003)."""
    if not first:
        return len(second)
    places: dict[Hashable, int] = {}
    for at, item in enumerate(first):
        places[item] = places.get(item, 0) | 1 << at
    full, last = (1 << len(first)) - 1, 1 << len(first) - 1
    rises, falls, distance = full, 0, len(first)
    for item in second:
        same = places.get(item, 0)
        flat = (((same & rises) + rises) ^ rises) | same | falls
        up, down = falls | (full & ~(flat | rises)), rises & flat
        distance += bool(up & last) - bool(down & last)
        up = (up << 1 | 1) & full
        rises, falls = (down << 1 | (full & ~(flat | up))) & full, up & flat
    return distance


try:  # the same values, some 50 times faster
    from rapidfuzz.distance.Levenshtein import distance as edit_distance
except ImportError:
    edit_distance = bit_parallel_distance  # type: ignore[assignment]


# Bounds of hostile tables; all are ours.
MAX_ROWS = 1000  # rows beyond are counted, and match nothing
MAX_COLUMNS = 1000  # cells of a row; the rest of the row is left out
MAX_SPAN = 1000
MAX_TEXT = 100_000  # characters of all cells; the text beyond is left out
# The exact distance takes n * m steps: 60 x 8 cells against as many take 290,000. Above the bound
# rows are aligned as wholes.
MAX_EXACT_STEPS = 1_000_000

_OTSL = re.compile(r"<(fcel|ecel|lcel|ucel|xcel|nl)>")


class TableCell(NamedTuple):
    """A cell where it begins: its text in single spaces, and how far it spans."""

    text: str
    column_span: int = 1
    row_span: int = 1


class ParsedTable(NamedTuple):
    """The rows of a table, and how many nodes of further rows were left out."""

    rows: tuple[tuple[TableCell, ...], ...]
    beyond: int = 0

    @property
    def nodes(self) -> int:
        """The number of rows and cells."""
        return sum(1 + len(row) for row in self.rows) + self.beyond


def parse_table(text: str) -> ParsedTable:
    """The first table in HTML, or a table in OTSL tokens; without rows where there is neither.

    OTSL (Lysak et al. 2023, arXiv 2305.03393) has a token for each place of the grid: ``<fcel>``
    and ``<ecel>`` begin a filled or empty cell, ``<lcel>``, ``<ucel>`` and ``<xcel>`` continue
    the cell to the left, above, or both, and ``<nl>`` ends a row.
    """
    if _OTSL.search(text):
        return _bounded(_otsl_rows(text))
    reader = _TableReader()
    reader.feed(text)
    reader.close()
    reader.end_row()
    return _bounded(reader.rows)


def teds(first: str, second: str, structure_only: bool = False) -> float:
    """TEDS of two tables in HTML or OTSL, in [0, 1]; symmetric, and 1 for the same table.

    Text that holds no table scores 0 against a table. `structure_only` ignores the texts of
    cells (TEDS-S). Above `MAX_EXACT_STEPS` the distance is that of tables whose rows are aligned
    in order, each by the text of the whole row: never above 1, and near the exact value where rows
    correspond.
    """
    one, other = parse_table(first), parse_table(second)
    most = max(one.nodes, other.nodes)
    if not one.rows or not other.rows:
        return float(one.rows == other.rows)
    exact = one.nodes * other.nodes <= MAX_EXACT_STEPS
    distance = (_exact_distance if exact else _aligned_distance)(one, other, structure_only)
    return max(0.0, 1.0 - (distance + abs(one.beyond - other.beyond)) / most)


def otsl_to_html(text: str) -> str:
    """A table in OTSL tokens as HTML."""
    return table_html(parse_table(text).rows)


def table_html(rows: Sequence[Sequence[TableCell]]) -> str:
    """Rows as an HTML table without formatting."""
    return "".join(
        ["<table>", *("<tr>" + "".join(map(_cell_html, row)) + "</tr>" for row in rows), "</table>"]
    )


def table_otsl(rows: Sequence[Sequence[TableCell]]) -> str:
    """Rows as OTSL tokens, one line each."""
    grid: dict[tuple[int, int], str] = {}
    for at, row in enumerate(rows):
        column = 0
        for cell in row:
            while (at, column) in grid:
                column += 1
            for down in range(min(cell.row_span, len(rows) - at)):
                for right in range(cell.column_span):
                    token = ("<lcel>", "<xcel>")[down > 0] if right else "<ucel>"
                    grid.setdefault((at + down, column + right), token)
            grid[at, column] = f"<fcel>{cell.text}" if cell.text else "<ecel>"
    width = max((column + 1 for _, column in grid), default=0)
    lines = ["".join(grid.get((r, c), "<ecel>") for c in range(width)) for r in range(len(rows))]
    return "".join(f"{line}<nl>" for line in lines)


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    **_: Any,
) -> float:
    """TEDS of a response with the true table, 0..1; verl calls it.

    `data_source` is ``document.table``, or ``document.table_structure`` for TEDS-S, also as
    ``<name>@<version>``.

    Raises:
        ValueError: there is no such score.
    """
    name = data_source.partition("@")[0]
    if name not in ("document.table", "document.table_structure"):
        raise ValueError(f"no reward for data source {data_source!r}; known: document.table")
    return teds(solution_str, ground_truth, structure_only=name.endswith("structure"))


def trl_reward(completions: Sequence[Any], **columns: Any) -> list[float | None]:
    """The rewards of a batch; None for rows of other tasks, which TRL leaves out of the mean.

    Used columns: `ground_truth` or `solution`, and where there is one `data_source`.
    """
    truths = columns.get("ground_truth") or columns["solution"]
    names = columns.get("data_source") or ["document.table"] * len(completions)
    return [
        compute_score(name, _text(given), truth) if name.startswith("document.table") else None
        for name, given, truth in zip(names, completions, truths, strict=True)
    ]


def _exact_distance(one: ParsedTable, other: ParsedTable, structure_only: bool) -> float:
    """The tree edit distance by Zhang and Shasha's recurrence, cut down to trees of three levels.

    The roots are mapped to each other, and so are two rows that are compared as subtrees: a
    mapping that does otherwise never costs less, as both are unchanged by renaming. What remains
    are distances between cells, between a cell and a row, and between rows, and one table over
    forests.
    """
    rename = _renaming(structure_only)
    above, left = _postorder(one), _postorder(other)
    before: list[list[float]] = [[float(j) for j in range(len(left) + 1)]]
    in_rows: dict[tuple[int, int], float] = {}
    for i, (node, first) in enumerate(above, start=1):
        line = [float(i)]
        whole = before[first]
        last = before[-1]
        for j, (opposite, start) in enumerate(left, start=1):
            if isinstance(node, TableCell):
                if isinstance(opposite, TableCell):
                    subtree = rename(node, opposite)
                else:
                    least = min((rename(node, cell) for cell in opposite), default=1.0)
                    subtree = len(opposite) + least
            elif isinstance(opposite, TableCell):
                subtree = len(node) + min((rename(cell, opposite) for cell in node), default=1.0)
            else:
                pair = id(node), id(opposite)
                if pair not in in_rows:
                    in_rows[pair] = _alignment(node, opposite, rename)
                subtree = in_rows[pair]
            line.append(min(last[j] + 1, line[j - 1] + 1, whole[start] + subtree))
        before.append(line)
    return before[-1][-1]


def _postorder(table: ParsedTable) -> list[tuple[Any, int]]:
    """Cells and rows (a tuple of cells) in postorder, each with the nodes before its first leaf."""
    nodes: list[tuple[Any, int]] = []
    for row in table.rows:
        first = len(nodes)
        nodes += [(cell, first + at) for at, cell in enumerate(row)]
        nodes.append((row, first))
    return nodes


def _renaming(structure_only: bool) -> Any:
    """The cost of one cell in place of another, in [0, 1]."""

    @cache
    def texts(first: str, second: str) -> float:
        return edit_distance(first, second) / (max(len(first), len(second)) or 1)

    def rename(one: TableCell, other: TableCell) -> float:
        if one[1] != other[1] or one[2] != other[2]:
            return 1.0
        return 0.0 if structure_only or one[0] == other[0] else texts(one[0], other[0])

    return rename


def _alignment(one: Sequence[Any], other: Sequence[Any], substitute: Any) -> float:
    """The edit distance of two sequences with costs of 1 and of `substitute`."""
    if one == other:
        return 0.0
    line = [float(j) for j in range(len(other) + 1)]
    for i, item in enumerate(one, start=1):
        corner, line[0] = line[0], float(i)
        for j, opposite in enumerate(other, start=1):
            best = min(line[j] + 1, line[j - 1] + 1, corner + substitute(item, opposite))
            corner, line[j] = line[j], best
    return line[-1]


def _aligned_distance(one: ParsedTable, other: ParsedTable, structure_only: bool) -> float:
    """The cost of aligning rows in order, where a row in place of another costs by its text."""
    above, left = _row_keys(one, structure_only), _row_keys(other, structure_only)
    line = [0.0]
    for size, _ in left:
        line.append(line[-1] + size)
    for size, text in above:
        corner, line[0] = line[0], line[0] + size
        for j, (opposite_size, opposite) in enumerate(left, start=1):
            cost = float(abs(size - opposite_size))
            if text != opposite:
                cost = max(size, opposite_size) - 1
                cost *= edit_distance(text, opposite) / max(len(text), len(opposite))
            best = min(line[j] + size, line[j - 1] + opposite_size, corner + cost)
            corner, line[j] = line[j], best
    return line[-1]


def _row_keys(table: ParsedTable, structure_only: bool) -> list[tuple[int, str]]:
    """Each row's number of nodes, and a text that stands for its cells."""
    return [
        (
            1 + len(row),
            "\t".join(f"{c.column_span},{c.row_span}" if structure_only else c.text for c in row),
        )
        for row in table.rows
    ]


def _bounded(rows: list[list[TableCell]]) -> ParsedTable:
    """The table within the bounds above."""
    left, kept = MAX_TEXT, []
    for row in rows[:MAX_ROWS]:
        cells = []
        for cell in row[:MAX_COLUMNS]:
            cells.append(cell._replace(text=cell.text[:left]))
            left -= len(cells[-1].text)
        kept.append(tuple(cells))
    beyond = sum(1 + len(row) for row in rows[MAX_ROWS:])
    return ParsedTable(tuple(kept), beyond)


def _otsl_rows(text: str) -> list[list[TableCell]]:
    """The cells of OTSL tokens; a continuation without a cell to continue is an empty cell."""
    owners: list[list[tuple[int, int]]] = []  # of each place: the row and index of its cell
    rows: list[list[TableCell]] = []
    tokens = list(_OTSL.finditer(text))
    fresh = True
    for at, token in enumerate(tokens):
        if fresh:
            owners.append([])
            rows.append([])
        kind = token[1]
        fresh = kind == "nl"
        if fresh:
            continue
        row, line = len(rows) - 1, owners[-1]
        above = owners[-2][len(line)] if row and len(line) < len(owners[-2]) else None
        beside = line[-1] if line else None
        owner = above if kind in ("ucel", "xcel") else beside if kind == "lcel" else None
        if owner is None:
            end = tokens[at + 1].start() if at + 1 < len(tokens) else len(text)
            content = html.unescape(text[token.end() : end]) if kind == "fcel" else ""
            rows[-1].append(TableCell(" ".join(content.split())))
            owner = row, len(rows[-1]) - 1
        else:
            cell = rows[owner[0]][owner[1]]
            grown = row - owner[0] + 1
            if kind == "lcel" and owner[0] == row:
                cell = cell._replace(column_span=min(cell.column_span + 1, MAX_SPAN))
            rows[owner[0]][owner[1]] = cell._replace(row_span=min(grown, MAX_SPAN))
        line.append(owner)
    return rows


class _TableReader(HTMLParser):
    """Collects the cells of the first table; a table within a cell is part of the cell's text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[list[TableCell]] = []
        self._row: list[TableCell] | None = None
        self._cell: tuple[int, int] | None = None
        self._text: list[str] = []
        self._depth = 0
        self._done = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self._depth += 1
        if self._done or self._depth > 1:
            return
        if tag == "tr":
            self.end_row()
            self._row = []
        elif tag in ("td", "th"):
            self._end_cell()
            self._row = [] if self._row is None else self._row
            given = dict(attrs)
            self._cell = _span(given.get("colspan")), _span(given.get("rowspan"))
        elif tag == "br":
            self._text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag == "table" and self._depth:
            self._depth -= 1
            if not self._depth:
                self.end_row()
                self._done = True
        elif self._depth <= 1 and tag in ("td", "th"):
            self._end_cell()
        elif self._depth <= 1 and tag == "tr":
            self.end_row()
        elif self._depth > 1 and tag in ("td", "th", "tr"):
            self._text.append(" ")

    def handle_data(self, data: str) -> None:
        if self._cell is not None and not self._done:
            self._text.append(data)

    def end_row(self) -> None:
        """Close the open row."""
        self._end_cell()
        if self._row is not None:
            self.rows.append(self._row)
        self._row = None

    def _end_cell(self) -> None:
        if self._cell is not None and self._row is not None:
            self._row.append(TableCell(" ".join("".join(self._text).split()), *self._cell))
        self._cell, self._text = None, []


def _span(text: str | None) -> int:
    digits = (text or "").strip()
    return min(max(int(digits), 1), MAX_SPAN) if re.fullmatch(r"[0-9]{1,6}", digits) else 1


def _cell_html(cell: TableCell) -> str:
    spans = f' colspan="{cell.column_span}"' if cell.column_span > 1 else ""
    spans += f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
    return f"<td{spans}>{html.escape(cell.text, quote=False)}</td>"


def _text(completion: Any) -> str:
    if isinstance(completion, str):
        return completion
    return str(completion[-1].get("content") or "")
