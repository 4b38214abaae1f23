"""Blocks of a page out of pieces of text with boxes: lines, paragraphs, columns, tables, order.

It works by geometry alone, so it treats the pieces of every engine and of a PDF's text layer the
same way. What it does not find: figures, formulas, rules of tables, cells of several lines. All
constants are ours, in units of the median height of the pieces unless stated otherwise.
"""

from collections.abc import Sequence
from statistics import median
from typing import Literal, NamedTuple

from synthmill.sources.documents.elements import BoundingBox, Cell
from synthmill.sources.documents.ocr.base import TextPiece

SAME_LINE = 0.5  # share of the lower height by which two pieces of a line overlap vertically
WORD_GAP = 1.3  # a wider gap ends a piece: cells and columns are further apart than words
GUTTER = 0.9  # the least width of the empty strip between two columns
PARAGRAPH_GAP = 0.9  # a larger gap between lines begins a paragraph
INDENT = 1.0  # so does a line that is indented by more, against both neighbors
TITLE_SIZE = 1.3  # lines higher than this are a title, if there are few
TITLE_LINES = 3
TABLE_CELL = 0.28  # share of the page's width: cells of a table are narrower in the median
TWO_COLUMN_CELL = 0.2  # in a table of two columns, which are prose otherwise
MIN_ROWS = 2
MAX_PIECES = 4000  # a page with more is cut off; a dense page of a newspaper has 2,000 words


class TextBlock(NamedTuple):
    """A block in reading order. A table has cells; other blocks have their text alone."""

    kind: Literal["title", "text", "table"]
    box: BoundingBox
    text: str
    cells: tuple[Cell, ...] = ()


class _Line(NamedTuple):
    """Pieces on one line, from left to right."""

    pieces: tuple[TextPiece, ...]

    @property
    def box(self) -> BoundingBox:
        return _around(self.pieces)


def page_blocks(pieces: Sequence[TextPiece], width: float) -> list[TextBlock]:
    """The blocks of a page of that width, in reading order."""
    pieces = [p for p in pieces[:MAX_PIECES] if p.x1 > p.x0 and p.y1 > p.y0]
    if not pieces:
        return []
    unit = median(piece.height for piece in pieces)
    joined = [piece for line in _lines(pieces) for piece in _joined(line, unit)]
    tables, rest = _tables(_lines(joined), width, unit)
    parts: list[TextBlock | TextPiece] = [*tables, *rest]
    return [block for leaf in _cut(parts, unit) for block in _leaf_blocks(leaf, unit)]


def _lines(pieces: Sequence[TextPiece]) -> list[_Line]:
    """Pieces grouped by vertical overlap, from top to bottom."""
    lines: list[list[TextPiece]] = []
    for piece in sorted(pieces, key=lambda p: (p.y0 + p.y1, p.x0)):
        if lines:
            last = lines[-1]
            top, bottom = median(p.y0 for p in last), median(p.y1 for p in last)
            shared = min(bottom, piece.y1) - max(top, piece.y0)
            if shared > SAME_LINE * min(bottom - top, piece.height):
                last.append(piece)
                continue
        lines.append([piece])
    return [_Line(tuple(sorted(line, key=lambda p: p.x0))) for line in lines]


def _joined(line: _Line, unit: float) -> list[TextPiece]:
    """The pieces of a line, with those joined that only a space separates."""
    out: list[TextPiece] = []
    for piece in line.pieces:
        last = out[-1] if out else None
        if last is not None and piece.x0 - last.x1 <= WORD_GAP * max(unit, 0.6 * last.height):
            x0, y0, x1, y1 = _around((last, piece))
            sizes = len(last.text), len(piece.text)
            mean = (last.confidence * sizes[0] + piece.confidence * sizes[1]) / max(sum(sizes), 1)
            out[-1] = TextPiece(f"{last.text} {piece.text}", x0, y0, x1, y1, mean)
        else:
            out.append(piece)
    return out


def _tables(
    lines: Sequence[_Line], width: float, unit: float
) -> tuple[list[TextBlock], list[TextPiece]]:
    """Tables, and the pieces outside of them.

    A table is a run of lines with two pieces or more each, close to each other, whose pieces are
    narrow and stand in columns that more than one line has.
    """
    tables: list[TextBlock] = []
    rest: list[TextPiece] = []
    run: list[_Line] = []
    for line in [*lines, _Line(())]:
        near = run and line.pieces and line.box.y0 - run[-1].box.y1 <= 2 * unit
        if run and not (near and len(line.pieces) > 1):
            table = _table(run, width, unit)
            if table is None:
                rest += [piece for row in run for piece in row.pieces]
            else:
                tables.append(table)
            run = []
        if len(line.pieces) > 1:
            run.append(line)
        else:
            rest += line.pieces
    return tables, rest


def _table(lines: Sequence[_Line], width: float, unit: float) -> TextBlock | None:
    pieces = [piece for line in lines for piece in line.pieces]
    if len(lines) < MIN_ROWS:
        return None
    columns = _columns(pieces, unit)
    narrow = TWO_COLUMN_CELL if len(columns) == 2 else TABLE_CELL
    if len(columns) < 2 or median(p.x1 - p.x0 for p in pieces) > narrow * width:
        return None
    cells = []
    for row, line in enumerate(lines):
        texts: dict[tuple[int, int], list[str]] = {}
        for piece in line.pieces:
            over = [k for k, (x0, x1) in enumerate(columns) if x0 < piece.x1 and piece.x0 < x1]
            texts.setdefault((over[0], over[-1]), []).append(piece.text)
        taken = [k for first, last in texts for k in range(first, last + 1)]
        texts |= {(k, k): [] for k in range(len(columns)) if k not in taken}
        cells += [
            Cell(" ".join(texts[span]), row, span[0], 1, span[1] - span[0] + 1)
            for span in sorted(texts)
        ]
    rows = "\n".join("\t".join(piece.text for piece in line.pieces) for line in lines)
    return TextBlock("table", _around(pieces), rows, tuple(cells))


def _columns(pieces: Sequence[TextPiece], unit: float) -> list[tuple[float, float]]:
    """The x ranges of columns: of pieces from narrow to wide, those that bridge none before."""
    columns: list[tuple[float, float]] = []
    for piece in sorted(pieces, key=lambda p: p.x1 - p.x0):
        over = [k for k, (x0, x1) in enumerate(columns) if x0 < piece.x1 and piece.x0 < x1]
        if not over:
            columns.append((piece.x0, piece.x1))
        elif len(over) == 1:
            x0, x1 = columns[over[0]]
            others = [c for k, c in enumerate(columns) if k != over[0]]
            left, right = min(x0, piece.x0), max(x1, piece.x1)
            if all(right + 0.2 * unit < a or b + 0.2 * unit < left for a, b in others):
                columns[over[0]] = left, right
    return sorted(columns)


def _cut(parts: list[TextBlock | TextPiece], unit: float) -> list[list[TextBlock | TextPiece]]:
    """The parts of the page's columns in reading order: a recursive cut along empty strips.

    A strip from top to bottom of a region goes first, as in XY-cut (Nagy and Seth 1984). A region
    without one is cut into all its horizontal bands, and bands are joined again as long as they
    share such a strip: so the columns below a title are read one after the other, however large the
    gaps between their paragraphs are.
    """
    leaves: list[list[TextBlock | TextPiece]] = []
    waiting = [parts]
    while waiting:
        region = waiting.pop()
        if place := _gutter(region, unit):
            halves = [[p for p in region if (_box(p).x0 < place) == left] for left in (True, False)]
            waiting += reversed(halves)
            continue
        bands = _bands(region, unit)
        if len(bands) == 1:
            leaves.append(region)
            continue
        groups: list[list[TextBlock | TextPiece]] = []
        for band in bands:
            if groups and _gutter(groups[-1] + band, unit):
                groups[-1] += band
            else:
                groups.append(band)
        waiting += reversed(groups)
    return leaves


def _gutter(region: Sequence[TextBlock | TextPiece], unit: float) -> float | None:
    """Where the widest strip from top to bottom is, if it is wide enough between two columns."""
    gap, place = _widest_gap([(_box(part).x0, _box(part).x1) for part in region])
    return place if gap >= GUTTER * unit else None


def _bands(
    region: Sequence[TextBlock | TextPiece], unit: float
) -> list[list[TextBlock | TextPiece]]:
    """The parts between empty strips from left to right, from top to bottom."""
    bands: list[list[TextBlock | TextPiece]] = []
    reach = 0.0
    for part in sorted(region, key=lambda part: _box(part).y0):
        if not bands or _box(part).y0 - reach >= GUTTER * unit:
            bands.append([])
        bands[-1].append(part)
        reach = max(reach, _box(part).y1) if len(bands[-1]) > 1 else _box(part).y1
    return bands


def _widest_gap(spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The widest strip that no span covers, between the first and the last: width and middle."""
    best, reach = (0.0, 0.0), None
    for start, end in sorted(spans):
        if reach is not None and start - reach > best[0]:
            best = start - reach, (start + reach) / 2
        reach = end if reach is None else max(reach, end)
    return best


def _leaf_blocks(leaf: Sequence[TextBlock | TextPiece], unit: float) -> list[TextBlock]:
    """A region without gaps as blocks: its tables as they are, its lines as paragraphs."""
    blocks = [part for part in leaf if isinstance(part, TextBlock)]
    lines = _lines([part for part in leaf if isinstance(part, TextPiece)])
    paragraphs: list[list[_Line]] = []
    for at, line in enumerate(lines):
        if not at or _begins(lines, at, unit):
            paragraphs.append([])
        paragraphs[-1].append(line)
    for paragraph in paragraphs:
        pieces = [piece for line in paragraph for piece in line.pieces]
        high = median(piece.height for piece in pieces) > TITLE_SIZE * unit
        kind: Literal["title", "text"]
        kind = "title" if high and len(paragraph) <= TITLE_LINES else "text"
        text = "\n".join(" ".join(p.text for p in line.pieces) for line in paragraph)
        blocks.append(TextBlock(kind, _around(pieces), text))
    return sorted(blocks, key=lambda block: block.box.y0)


def _begins(lines: Sequence[_Line], at: int, unit: float) -> bool:
    """Whether a line begins a paragraph: after a gap, in other type, or indented."""
    above, box = lines[at - 1].box, lines[at].box
    heights = above.y1 - above.y0, box.y1 - box.y0
    if box.y0 - above.y1 > PARAGRAPH_GAP * unit or max(heights) > TITLE_SIZE * min(heights):
        return True
    below = lines[at + 1].box if at + 1 < len(lines) else None
    return below is not None and box.x0 - max(above.x0, below.x0) > INDENT * unit


def _box(part: TextBlock | TextPiece) -> BoundingBox:
    return part.box if isinstance(part, TextBlock) else BoundingBox(*part[1:5])


def _around(pieces: Sequence[TextPiece]) -> BoundingBox:
    return BoundingBox(
        min(p.x0 for p in pieces),
        min(p.y0 for p in pieces),
        max(p.x1 for p in pieces),
        max(p.y1 for p in pieces),
    )
