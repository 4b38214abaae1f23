"""Tables of a page: between ruled lines, or by the alignment of their cells.

All constants are ours, in points unless stated otherwise.
"""

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from statistics import median
from typing import NamedTuple

from synthmill.sources.documents.elements import BoundingBox, Cell
from synthmill.sources.documents.pdf.lines import TextLine, TextRow, around, text_rows
from synthmill.sources.documents.pdf.page_content import Rule, Word

TOUCH = 3.0  # rules closer than this meet
MAX_RULES = 3000  # of a page; drawings have more
MAX_CELLS = 5000
FILLED = 0.35  # the least share of cells with text: the grid of a chart has none
LONG_RULE = 60.0  # rules above and below a table without vertical ones
ROW_GAP = 2.2  # in sizes of type: rows further apart belong to two tables
COLUMN_GAP = 0.75  # in sizes of type: the least gap between two columns
NARROW = 0.28  # of the page's width: the median cell of a table without rules
NARROW_TWO = 0.2  # in a table of two columns, which are prose otherwise
PROSE_WORDS = 5  # words of the median cell of two columns of prose
MIN_ROWS = 3  # of a table without rules
MANY_ROWS = 12  # of a table that may be taken before columns of text are looked for
MAX_COLUMNS = 40
LISTING = 0.6  # share of characters in type of one width: lines of code are no table
NUMBERS = 0.3  # the least share of cells of a table of numbers

_NUMBER = re.compile(r"[-+−(~<>≈$€£]*\d[\d,.\s]*[%)]?\*?")


class FoundTable(NamedTuple):
    """A table: its box, its cells, and the words in it."""

    box: BoundingBox
    cells: tuple[Cell, ...]
    words: frozenset[Word]


def ruled_tables(words: Sequence[Word], rules: Sequence[Rule]) -> list[FoundTable]:
    """Tables whose cells are drawn with horizontal and vertical rules."""
    found = []
    for group in _connected(rules[:MAX_RULES]):
        across = [rule for rule in group if rule.horizontal]
        down = [rule for rule in group if not rule.horizontal]
        # The outer edges of a table are often not drawn: its rules end there.
        ys = _places([*(r.place for r in across), *_ends(down)])
        xs = _places([*(r.place for r in down), *_ends(across)])
        if len(ys) < 2 or len(xs) < 2 or len(ys) * len(xs) > MAX_CELLS or len(ys) + len(xs) < 5:
            continue
        table = _grid_table(words, group, xs, ys)
        if table is not None:
            found.append(table)
    return found


def _grid_table(
    words: Sequence[Word], group: list[Rule], xs: list[float], ys: list[float]
) -> FoundTable | None:
    box = BoundingBox(xs[0], ys[0], xs[-1], ys[-1])
    inside = [word for word in words if _holds(box, word)]
    cells, filled = [], 0
    for row, column, bottom, right in _spans(group, xs, ys):
        area = BoundingBox(xs[column], ys[row], xs[right], ys[bottom])
        text = cell_text([word for word in inside if _holds(area, word)])
        filled += bool(text)
        cells.append(Cell(text, row, column, bottom - row, right - column, False, area))
    if filled < 2 or filled < FILLED * len(cells) or len(cells) < 3:
        return None
    return FoundTable(box, _with_header(cells, inside), frozenset(inside))


def _spans(
    group: list[Rule], xs: list[float], ys: list[float]
) -> Iterable[tuple[int, int, int, int]]:
    """Cells as first row and column, and those behind the last: fields without a rule between."""
    across = [rule for rule in group if rule.horizontal]
    down = [rule for rule in group if not rule.horizontal]

    def crossed(rules: list[Rule], place: float, start: float, end: float) -> bool:
        middle = (start + end) / 2
        return any(
            abs(rule.place - place) <= TOUCH and rule.start <= middle <= rule.end for rule in rules
        )

    taken: set[tuple[int, int]] = set()
    for row in range(len(ys) - 1):
        for column in range(len(xs) - 1):
            if (row, column) in taken:
                continue
            right, bottom = column + 1, row + 1
            while right < len(xs) - 1 and not crossed(down, xs[right], ys[row], ys[row + 1]):
                right += 1
            while bottom < len(ys) - 1 and not any(
                crossed(across, ys[bottom], xs[k], xs[k + 1]) for k in range(column, right)
            ):
                bottom += 1
            taken |= {(r, c) for r in range(row, bottom) for c in range(column, right)}
            yield row, column, bottom, right


def _connected(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Rules grouped by whether they meet, each group from the top left on."""
    across = sorted((r for r in rules if r.horizontal), key=lambda r: r.place)
    down = [r for r in rules if not r.horizontal]
    parent = list(range(len(across) + len(down)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for place, rule in enumerate(down, len(across)):
        for at, other in enumerate(across):
            if other.place > rule.end + TOUCH:
                break
            if (
                other.place >= rule.start - TOUCH
                and other.start - TOUCH <= rule.place <= other.end + TOUCH
            ):
                parent[root(place)] = root(at)
    groups: dict[int, list[Rule]] = {}
    for at, rule in enumerate([*across, *down]):
        groups.setdefault(root(at), []).append(rule)
    return [group for group in groups.values() if len(group) > 3]


def _ends(rules: Sequence[Rule]) -> list[float]:
    return [min(r.start for r in rules), max(r.end for r in rules)] if rules else []


def _places(values: Iterable[float]) -> list[float]:
    """Values in order, those that are close to each other taken once."""
    places: list[float] = []
    for value in sorted(values):
        if not places or value - places[-1] > TOUCH:
            places.append(value)
    return places


def _holds(box: BoundingBox, word: Word) -> bool:
    x, y = (word.x0 + word.x1) / 2, (word.y0 + word.y1) / 2
    return box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1


def cell_text(words: Sequence[Word]) -> str:
    """Words as text, line by line; a word cut at the end of a line is put together."""
    text = ""
    for row in text_rows(words, split=1e9) if words else ():
        for line in row.lines:
            cut = re.search(r"[^\W\d]-$", text) and line.text[:1].islower()
            text = f"{text[:-1]}{line.text}" if cut else f"{text} {line.text}".strip()
    return text


def open_tables(words: Sequence[Word], rules: Sequence[Rule], width: float) -> list[FoundTable]:
    """Tables between horizontal rules of the same length, without vertical ones."""
    found: list[FoundTable] = []
    used: set[Word] = set()
    for stack in _stacks(rules):
        run: list[Rule] = []
        rows: list[TextRow] = []
        for at, above in enumerate(stack):
            below = stack[at + 1 : at + 2]
            between: list[TextRow] = []
            if below:
                box = BoundingBox(
                    above.start - TOUCH, above.place, above.end + TOUCH, below[0].place
                )
                inside = [w for w in words if _holds(box, w) and w not in used]
                between = text_rows(inside, COLUMN_GAP) if inside else []
            if between and _in_columns(between):
                run += below if run else [above, *below]
                rows += between
                continue
            if run:
                area = BoundingBox(run[0].start, run[0].place, run[0].end, run[-1].place)
                header = run[1].place if len(run) > 2 else None
                table = _aligned(rows, width, 2, header, area)
                if table is not None:
                    found.append(table)
                    used |= table.words
            run, rows = [], []
    return found


def _in_columns(rows: Sequence[TextRow]) -> bool:
    """Whether most rows consist of several parts close to each other, as those of a table do."""
    size = rows[0].lines[0].size
    apart = any(b.box.y0 - a.box.y1 > ROW_GAP * size for a, b in pairwise(rows))
    return not apart and sum(len(row.lines) > 1 for row in rows) >= 0.6 * len(rows)


def _stacks(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Long horizontal rules with the same ends, from top to bottom."""
    stacks: list[list[Rule]] = []
    long = [r for r in rules if r.horizontal and r.end - r.start >= LONG_RULE]
    for rule in sorted(long, key=lambda r: r.place)[:MAX_RULES]:
        for stack in stacks:
            same = abs(stack[0].start - rule.start) < TOUCH and abs(stack[0].end - rule.end) < TOUCH
            if same:
                if rule.place - stack[-1].place > TOUCH:
                    stack.append(rule)
                break
        else:
            stacks.append([rule])
    return [stack for stack in stacks if len(stack) > 1]


def aligned_tables(
    rows: Sequence[TextRow], width: float, numbers: bool = False
) -> list[FoundTable]:
    """Tables without rules: rows of narrow cells in columns.

    With `numbers`, those with many rows, mostly of numbers, which cannot be columns of text.
    """
    found, run = [], list[TextRow]()
    for row in [*rows, TextRow(())]:
        if run and row.lines:
            size = run[-1].lines[0].size
            near = row.box.y0 - run[-1].box.y1 <= ROW_GAP * size
        else:
            near = not run
        if run and not (near and len(row.lines) > 1):
            table = _aligned(run, width, MANY_ROWS if numbers else MIN_ROWS, None, None)
            found += [table] if table is not None and (not numbers or _of_numbers(table)) else []
            run = []
        if len(row.lines) > 1:
            run.append(row)
    return found


def _of_numbers(table: FoundTable) -> bool:
    texts = [cell.text for cell in table.cells if cell.text]
    return sum(map(bool, map(_NUMBER.fullmatch, texts))) >= NUMBERS * len(texts)


def _aligned(
    rows: list[TextRow],
    width: float,
    min_rows: int,
    header: float | None,
    ruled: BoundingBox | None,
) -> FoundTable | None:
    """Rows of lines as a table; None where they are not in columns, or are prose."""
    lines = [line for row in rows for line in row.lines]
    if len(rows) < min_rows:
        return None
    characters = sum(len(line.text) for line in lines)
    if sum(len(line.text) for line in lines if line.mono) > LISTING * characters:
        return None
    size = median(line.size for line in lines)
    columns = _columns(lines, size)
    if not 2 <= len(columns) <= MAX_COLUMNS:
        return None
    words_in = median(len(line.words) for line in lines)
    if len(columns) == 2 and words_in >= PROSE_WORDS:
        return None
    narrow = NARROW_TWO if len(columns) == 2 else NARROW
    if ruled is None and median(x.box.x1 - x.box.x0 for x in lines) > narrow * width:
        return None
    full = sum(len({_over(columns, line)[0] for line in row.lines}) > 1 for row in rows)
    if full < 0.6 * len(rows):
        return None
    cells: list[Cell] = []
    number = -1
    last_bottom = 0.0
    gaps = [b.box.y0 - a.box.y1 for a, b in pairwise(rows)]
    usual = median(gaps) if gaps else 0.0
    for row in rows:
        texts: dict[tuple[int, int], list[TextLine]] = {}
        for line in row.lines:
            over = _over(columns, line)
            texts.setdefault((over[0], over[-1]), []).append(line)
        first_empty = all(first > 0 for first, _ in texts)
        tight = number >= 0 and row.box.y0 - last_bottom < 0.6 * usual
        if first_empty and tight and len(texts) < len(columns):
            cells = _continued(cells, number, texts)
            last_bottom = row.box.y1
            continue
        number += 1
        last_bottom = row.box.y1
        taken = {k for first, last in texts for k in range(first, last + 1)}
        texts |= {(k, k): [] for k in range(len(columns)) if k not in taken}
        for (first, last), found in sorted(texts.items()):
            area = around(line.box for line in found) if found else None
            text = " ".join(line.text for line in found)
            above = header is not None and row.box.y1 <= header + TOUCH
            cells.append(Cell(text, number, first, 1, last - first + 1, above, area))
    words = frozenset(word for line in lines for word in line.words)
    if number + 1 < min(min_rows, 2):
        return None
    own = around(line.box for line in lines)
    box = own if ruled is None else around([own, ruled])
    marked = any(cell.header for cell in cells)
    return FoundTable(box, tuple(cells) if marked else _with_header(cells, words), words)


def _continued(
    cells: list[Cell], row: int, texts: dict[tuple[int, int], list[TextLine]]
) -> list[Cell]:
    """Cells whose last row goes on with further lines of text."""
    out = []
    for cell in cells:
        more = [
            line
            for (first, _), found in texts.items()
            for line in found
            if cell.row == row and cell.column <= first < cell.column + cell.column_span
        ]
        if more:
            text = " ".join([cell.text, *(line.text for line in more)]).strip()
            boxes = [line.box for line in more] + ([cell.box] if cell.box else [])
            cell = cell._replace(text=text, box=around(boxes))
        out.append(cell)
    return out


def _columns(lines: Sequence[TextLine], size: float) -> list[tuple[float, float]]:
    """The x ranges of columns: of lines from narrow to wide, those that bridge none before."""
    columns: list[tuple[float, float]] = []
    gap = COLUMN_GAP * size
    for line in sorted(lines, key=lambda x: x.box.x1 - x.box.x0):
        x0, _, x1, _ = line.box
        over = [k for k, (a, b) in enumerate(columns) if a < x1 and x0 < b]
        if not over:
            columns.append((x0, x1))
            columns.sort()
        elif len(over) == 1:
            a, b = columns[over[0]]
            left, right = min(a, x0), max(b, x1)
            others = columns[: over[0]] + columns[over[0] + 1 :]
            if all(right + gap < c or d + gap < left for c, d in others):
                columns[over[0]] = left, right
    return columns


def _over(columns: list[tuple[float, float]], line: TextLine) -> list[int]:
    """The columns that a line is in."""
    x0, _, x1, _ = line.box
    over = [k for k, (a, b) in enumerate(columns) if a < x1 and x0 < b]
    if over:
        return over
    middle = (x0 + x1) / 2
    return [min(range(len(columns)), key=lambda k: abs(sum(columns[k]) / 2 - middle))]


def _with_header(cells: Sequence[Cell], words: Iterable[Word]) -> tuple[Cell, ...]:
    """The cells with those of the first row marked, where it differs from the rows below."""
    first = [cell for cell in cells if cell.row == 0 and cell.text]
    below = [cell for cell in cells if cell.row > 0 and cell.text]
    plain = not any(_NUMBER.fullmatch(cell.text) for cell in first if cell.column > 0)
    numbers = any(_NUMBER.fullmatch(cell.text) for cell in below)
    bold = bool(first) and _all_bold(first, words)
    is_header = bool(first and below) and (bold or (plain and numbers))
    last = max((cell.row_span for cell in first), default=1)  # a cell over two rows heads both
    return tuple(cell._replace(header=is_header and cell.row < last) for cell in cells)


def _all_bold(cells: Sequence[Cell], words: Iterable[Word]) -> bool:
    boxes = [cell.box for cell in cells if cell.box is not None]
    inside = [word for word in words if any(_holds(box, word) for box in boxes)]
    return bool(inside) and TextLine(inside).bold
