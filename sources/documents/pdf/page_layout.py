"""The blocks of a page in reading order: paragraphs, list items, tables, figures, captions.

All constants are ours, in sizes of type unless stated otherwise.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Literal, NamedTuple

from synthmill.sources.documents.elements import BoundingBox, Cell
from synthmill.sources.documents.pdf.figures import figure_boxes, with_labels
from synthmill.sources.documents.pdf.lines import BULLET, MONO, TextLine, TextRow, around, text_rows
from synthmill.sources.documents.pdf.page_content import PageContent
from synthmill.sources.documents.pdf.reading_order import reading_order
from synthmill.sources.documents.pdf.tables import (
    FoundTable,
    aligned_tables,
    open_tables,
    ruled_tables,
)

PARAGRAPH_GAP = 1.2  # times the usual distance of lines: a larger one begins a paragraph
INDENT = 0.8  # a line indented by more begins one
SAME_SIZE = 0.08  # share by which sizes of one paragraph differ at most
CAPTION = re.compile(
    r"(Figure|Fig\.?|Table|Tab\.?|Chart|Exhibit|Plate|Scheme|Map|Box|Abbildung|Abb\.|Tabelle|"
    r"Figura|Tabla|Tableau)\s*([A-Z]?[\dIVX]+(?:[.\-]\d+)*)\s*(?:[.:|–—-]|\s|$)",
    re.IGNORECASE,
)
CAPTION_GAP = 8.0  # between a caption and what it belongs to
TABLE_WORDS = ("tab", "box")
PROSE_WORDS = 5  # words of the median line of running text in a frame


class BlockLine(NamedTuple):
    """A line of a block. `marks` are superscripts: their offsets in the text, and what they are."""

    text: str
    box: BoundingBox
    baseline: float
    size: float
    bold: bool
    mono: bool
    marks: tuple[tuple[int, str], ...] = ()


@dataclass(slots=True)
class PageBlock:
    """Lines that belong together, or a table or figure.

    `box` is upright; `caption` holds the lines of a table's or figure's caption. `bullet` is the
    bullet or number that the first line begins with. `aside` is text at another angle.
    """

    kind: Literal["text", "table", "figure", "aside"]
    box: BoundingBox
    lines: list[BlockLine] = field(default_factory=list)
    cells: tuple[Cell, ...] = ()
    caption: list[BlockLine] = field(default_factory=list)
    bullet: str = ""

    @property
    def size(self) -> float:
        """The size of its type."""
        return median(line.size for line in self.lines) if self.lines else 0.0

    @property
    def text(self) -> str:
        """Its lines, with spaces between them."""
        return " ".join(line.text for line in self.lines)


def page_blocks(content: PageContent) -> list[PageBlock]:
    """The blocks of a page."""
    tables = _tables(content)
    used = {word for table in tables for word in table.words}
    words = [word for word in content.words if word not in used]
    rows = text_rows(words)
    boxes = figure_boxes(content, [table.box for table in tables])
    lines = [line for row in rows for line in row.lines]
    captions = [line for line in lines if CAPTION.match(line.text)]
    figures: list[PageBlock] = []
    taken: set[int] = set()
    for box in _apart(boxes):
        free = [line for line in lines if id(line) not in taken]
        wide, inside = with_labels(box, free, captions)
        if _is_framed_text(box, inside, content):
            continue
        taken |= {id(line) for line in inside}
        figures.append(PageBlock("figure", wide, [_block_line(line) for line in inside]))
    rows = [TextRow(tuple(x for x in row.lines if id(x) not in taken)) for row in rows]
    rows = [row for row in rows if row.lines]
    # Others are found in their column: rows of cells look like columns of text.
    for table in aligned_tables(rows, content.width, numbers=True):
        tables.append(table)
        used = set(table.words)
        taken |= {id(x) for row in rows for x in row.lines if used.issuperset(x.words)}
    lines = [line for line in lines if id(line) not in taken]
    blocks = _ordered(lines, [*map(_table_block, tables), *figures], content)
    _attach_captions(blocks)
    if content.aside:
        aside = [TextLine([word]) for word in content.aside]
        found = [_block_line(line) for line in aside]
        blocks.append(PageBlock("aside", around(x.box for x in found), found))
    return blocks


def _tables(content: PageContent) -> list[FoundTable]:
    tables = ruled_tables(content.words, content.rules)
    boxes = [table.box for table in tables]
    used = {word for table in tables for word in table.words}
    free = [
        rule
        for rule in content.rules
        if not any(box.y0 - 4 <= rule.place <= box.y1 + 4 for box in boxes if rule.horizontal)
    ]
    words = [word for word in content.words if word not in used]
    return tables + open_tables(words, free, content.width)


def _is_framed_text(box: BoundingBox, lines: Sequence[TextLine], content: PageContent) -> bool:
    """Whether what was taken for a figure is the background of a listing or of paragraphs."""
    if len(lines) < 2 or any(image.x0 < box.x1 and box.x0 < image.x1 for image in content.images):
        return False
    listing = sum(line.mono for line in lines) > 0.8 * len(lines)
    return listing or median(len(line.words) for line in lines) >= PROSE_WORDS


def _apart(boxes: Sequence[BoundingBox]) -> list[BoundingBox]:
    """Boxes, with those that overlap joined."""
    out: list[BoundingBox] = []
    for box in sorted(boxes, key=lambda b: (b.y0, b.x0)):
        for at, other in enumerate(out):
            if (
                box.x0 <= other.x1
                and other.x0 <= box.x1
                and box.y0 <= other.y1
                and other.y0 <= box.y1
            ):
                out[at] = around([box, other])
                break
        else:
            out.append(box)
    return out


def _table_block(table: FoundTable) -> PageBlock:
    return PageBlock("table", table.box, cells=table.cells)


def _block_line(line: TextLine) -> BlockLine:
    marks = tuple(line.marks)
    return BlockLine(line.text, line.box, line.baseline, line.size, line.bold, line.mono, marks)


def _ordered(
    lines: Sequence[TextLine], others: Sequence[PageBlock], content: PageContent
) -> list[PageBlock]:
    """Paragraphs, tables and figures in reading order."""
    if not lines and not others:
        return []
    size = median(line.size for line in lines) if lines else 10.0
    boxes = [line.box for line in lines] + [block.box for block in others]
    blocks: list[PageBlock] = []
    for group in reading_order(boxes, size, content.width):
        run: list[TextLine] = []
        for at in group:
            if at < len(lines):
                run.append(lines[at])
            else:
                blocks += _column(run, content.width)
                run = []
                blocks.append(others[at - len(lines)])
        blocks += _column(run, content.width)
    return blocks


def _column(lines: Sequence[TextLine], width: float) -> list[PageBlock]:
    """The lines of a column as tables without rules, and paragraphs between them."""
    if not lines:
        return []
    rows: list[list[TextLine]] = []
    for line in sorted(lines, key=lambda x: (x.baseline, x.box.x0)):
        if rows and abs(rows[-1][-1].baseline - line.baseline) < 0.25 * line.size:
            rows[-1].append(line)
        else:
            rows.append([line])
    tables = aligned_tables([TextRow(tuple(row)) for row in rows], width)
    blocks: list[PageBlock] = []
    run: list[TextLine] = []
    for row in rows:
        table = next((t for t in tables if row[0].words[0] in t.words), None)
        if table is None:
            run.append(row[0] if len(row) == 1 else TextLine([w for x in row for w in x.words]))
            continue
        blocks += _paragraphs(run)
        run = []
        if not blocks or blocks[-1].cells is not table.cells:
            blocks.append(_table_block(table))
    return blocks + _paragraphs(run)


def _paragraphs(lines: Sequence[TextLine]) -> list[PageBlock]:
    """Lines of a column as paragraphs."""
    if not lines:
        return []
    leading = _leading(lines)
    left = _usual_left(lines)
    right = max(line.box.x1 for line in lines)
    blocks: list[PageBlock] = []
    for at, line in enumerate(lines):
        first = line.words[0].text
        is_bullet = BULLET.fullmatch(first) and not MONO.search(line.words[0].font)
        bullet = first if is_bullet and len(line.words) > 1 else ""
        if not at or _begins(lines[at - 1], line, bool(bullet), leading, left, right):
            blocks.append(PageBlock("text", line.box, bullet=bullet))
        blocks[-1].lines.append(_block_line(line))
        blocks[-1].box = around([blocks[-1].box, line.box])
    return blocks


def _leading(lines: Sequence[TextLine]) -> float:
    """The usual distance of baselines, in sizes of type."""
    steps = [
        (b.baseline - a.baseline) / b.size
        for a, b in pairwise(lines)
        if abs(a.size - b.size) < SAME_SIZE * b.size
    ]
    # Close to the smallest: between paragraphs there is more, in lists and headings far more.
    steps = sorted(step for step in steps if 0.8 < step < 3)
    return steps[len(steps) // 4] if steps else 1.2


def _usual_left(lines: Sequence[TextLine]) -> float:
    """The left edge that most lines have, within a point."""
    counts: dict[int, int] = {}
    for line in lines:
        counts[round(line.box.x0)] = counts.get(round(line.box.x0), 0) + 1
    return float(max(counts, key=lambda x: (counts[x], -x)))


def _begins(
    above: TextLine, line: TextLine, bullet: bool, leading: float, left: float, right: float
) -> bool:
    """Whether a line begins a paragraph."""
    size = max(above.size, line.size)
    step = line.baseline - above.baseline
    room = right - above.box.x1 > line.words[0].x1 - line.words[0].x0 + 0.5 * size
    if abs(above.size - line.size) > SAME_SIZE * size:
        return True
    if room and (above.mono != line.mono or above.bold != line.bold):
        return True
    if bullet or step > PARAGRAPH_GAP * leading * size or CAPTION.match(line.text):
        return True
    if line.rtl:
        return False
    indented = line.box.x0 - left > INDENT * size and above.box.x0 - left < 0.3 * size
    ended = above.text[-1:] in ".:!?…”)"
    return (indented and ended) or (room and ended and step > 1.02 * leading * size)


def _attach_captions(blocks: list[PageBlock]) -> None:
    """Move each caption to the nearest table or figure of its kind on the page."""
    others = [block for block in blocks if block.kind in ("table", "figure")]
    pairs = []
    for block in blocks:
        found = CAPTION.match(block.lines[0].text) if block.kind == "text" else None
        if not found:
            continue
        is_table = found.group(1).lower().startswith(TABLE_WORDS)
        for other in others:
            beside = max(other.box.x0 - block.box.x1, block.box.x0 - other.box.x1, 0.0)
            gap = max(other.box.y0 - block.box.y1, block.box.y0 - other.box.y1, 0.0)
            gap += beside / 2  # a table in the middle may have its caption at the margin
            if gap < CAPTION_GAP * block.size:
                # A picture of a table has its caption, and a figure may be drawn as a grid.
                other_kind = (other.kind == "table") != is_table
                pairs.append((other_kind, gap, id(block), id(other), block, other))
    done: set[int] = set()
    for _, _, caption, target, block, other in sorted(pairs, key=lambda p: p[:4]):
        if caption not in done and target not in done:
            done |= {caption, target}
            other.caption = block.lines
            blocks.remove(block)
