"""Which elements of two parsers are the same, where one may have cut a page finer than the other.

It follows MGAM of OmniDocBench v1.6 (arXiv 2604.04771, section 5): the elements of one side are
fixed, and the granularity of the other is searched: its elements as they are, split at line breaks,
and merged in every way that keeps their order; each is assigned by Kuhn and Munkres' method, and
the best one is taken. Ours: it is done for each group of elements that overlap on the page instead
of for the whole page, so the bounds of the search are rarely met, and equal texts elsewhere on the
page are not confused.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape

from synthmill.generators.mineru_pro.records import SUB_TASKS, Box, PageElement
from synthmill.rewards.document_tables import parse_table, teds
from synthmill.rewards.documents import assign, formula_similarity, iou, text_similarity

# Ours: elements meet where this share of the smaller one lies in the other.
OVERLAP = 0.4
# The bounds of the released code: pieces of a region whose merges are enumerated, and how many
# merges that may be. Eight pieces have 128 merges.
MAX_PIECES = 8
MAX_MERGES = 128

_LINE_BREAK = re.compile(r"\\\\(?:\s*\[[^\]]*\])?|\n")
_TAG = re.compile(r"<[^<>]*>")

SIMILARITIES: dict[str, Callable[[str, str], float]] = {
    "text": text_similarity,
    "table": teds,
    "formula": formula_similarity,
}


@dataclass(frozen=True, slots=True)
class Piece:
    """An element of the searched side, a part of it, or several joined; `of` are their places."""

    content: str
    of: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """For each fixed element the content that matches it, and the places of unmatched elements."""

    contents: tuple[str | None, ...]
    unmatched: tuple[int, ...]


def align(fixed: Sequence[PageElement], searched: Sequence[PageElement]) -> Alignment:
    """The contents of one parser's elements at the elements of another.

    Elements match within a sub-task; a table over a text is flattened to text first. Figures
    match nothing.
    """
    contents: list[str | None] = [None] * len(fixed)
    used: set[int] = set()
    for places, others in _groups(fixed, searched):
        task = SUB_TASKS[fixed[places[0]].kind]
        pieces = [Piece(_as_task(searched[k], task), (k,)) for k in others]
        targets = [fixed[place].content for place in places]
        home = [_home(searched[k], [fixed[p] for p in places]) for k in others]
        for at, piece in _best_pieces(targets, pieces, home, task):
            contents[places[at]] = piece.content
            used.update(piece.of)
    return Alignment(tuple(contents), tuple(k for k in range(len(searched)) if k not in used))


def similarity(task: str, first: str, second: str) -> float:
    """The similarity of two contents by the metric of their sub-task, in [0, 1]."""
    return SIMILARITIES[task](first, second)


def table_text(html: str) -> str:
    """The text of a table's cells, row by row."""
    rows = parse_table(html).rows
    if not rows:
        return " ".join(unescape(_TAG.sub(" ", html)).split())
    return "\n".join(" ".join(cell.text for cell in row if cell.text) for row in rows)


def share_inside(one: Box, other: Box) -> float:
    """The share of the smaller box that lies in the other."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    least = min((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return max(0.0, width) * max(0.0, height) / least if least > 0 else 0.0


def _groups(
    fixed: Sequence[PageElement], searched: Sequence[PageElement]
) -> Iterator[tuple[list[int], list[int]]]:
    """Places of fixed and searched elements that are connected by overlap, group by group."""
    meets: dict[int, list[int]] = {}
    met_by: dict[int, list[int]] = {}
    for i, element in enumerate(fixed):
        for k, other in enumerate(searched):
            if _comparable(element, other) and share_inside(element.box, other.box) > OVERLAP:
                meets.setdefault(i, []).append(k)
                met_by.setdefault(k, []).append(i)
    seen: set[int] = set()
    for start in meets:
        if start in seen:
            continue
        rows, columns, waiting = {start}, set[int](), [start]
        while waiting:
            for k in meets[waiting.pop()]:
                if k not in columns:
                    columns.add(k)
                    task = SUB_TASKS[fixed[start].kind]
                    near = [i for i in met_by[k] if SUB_TASKS[fixed[i].kind] == task]
                    waiting += [i for i in near if i not in rows]
                    rows.update(near)
        seen |= rows
        yield sorted(rows), sorted(columns)


def _comparable(element: PageElement, other: PageElement) -> bool:
    task, found = SUB_TASKS.get(element.kind), SUB_TASKS.get(other.kind)
    return task is not None and (task == found or (task == "text" and found == "table"))


def _as_task(element: PageElement, task: str) -> str:
    flat = task == "text" and element.kind == "table"
    return table_text(element.content) if flat else element.content


def _home(element: PageElement, fixed: Sequence[PageElement]) -> int:
    """The fixed element that a searched one lies in most."""
    return max(
        range(len(fixed)),
        key=lambda i: (share_inside(element.box, fixed[i].box), iou(element.box, fixed[i].box)),
    )


def _best_pieces(
    targets: Sequence[str], pieces: Sequence[Piece], home: Sequence[int], task: str
) -> list[tuple[int, Piece]]:
    """The assignment of the granularity that fits best."""
    best: tuple[float, list[tuple[int, Piece]]] = (-1.0, [])
    for candidate in _granularities(targets, pieces, home, task):
        weights = [[similarity(task, target, p.content) for p in candidate] for target in targets]
        pairs = assign(weights)
        sizes = [len(target) for target in targets]
        matched = {j for _, j in pairs}
        good = sum(weights[i][j] * sizes[i] for i, j in pairs)
        lost = sum(len(p.content) for j, p in enumerate(candidate) if j not in matched)
        score = good / max(sum(sizes) + lost, 1)
        if score > best[0]:
            best = score, [(i, candidate[j]) for i, j in pairs]
    return best[1]


def _granularities(
    targets: Sequence[str], pieces: Sequence[Piece], home: Sequence[int], task: str
) -> Iterator[list[Piece]]:
    yield list(pieces)
    if task == "table" or (len(targets) == 1 and len(pieces) == 1):
        return
    separator = "\\\\" if task == "formula" else "\n"
    if len(set(home)) < len(pieces):  # ours: joined by place, however many there are
        joined: dict[int, list[Piece]] = {}
        for piece, at in zip(pieces, home, strict=True):
            joined.setdefault(at, []).append(piece)
        yield [_merged(group, separator) for group in joined.values()]
    lines = [
        Piece(line.strip(), piece.of)
        for piece in pieces
        for line in _LINE_BREAK.split(piece.content)
        if line.strip()
    ]
    if len(lines) > len(pieces):
        yield lines
    for parts in (pieces, lines):
        if 1 < len(parts) <= MAX_PIECES and 2 ** (len(parts) - 1) <= MAX_MERGES:
            for cuts in range(2 ** (len(parts) - 1)):
                groups = [[parts[0]]]
                for at, part in enumerate(parts[1:]):
                    if cuts >> at & 1:
                        groups.append([part])
                    else:
                        groups[-1].append(part)
                if len(groups) >= len(targets) - 1:
                    yield [_merged(group, separator) for group in groups]


def _merged(group: Sequence[Piece], separator: str) -> Piece:
    of = tuple(dict.fromkeys(place for piece in group for place in piece.of))
    return Piece(separator.join(piece.content for piece in group), of)
