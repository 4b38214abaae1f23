"""Headings of a PDF: what its outline names, else titles by the size of their type.

DocDancer's preprocessing sorts the titles that its layout model finds by their height and begins a
new level where one is 1.15 times as large as the next smaller. Without a layout model a title must
be told from text first: that rule is ours, and compares with the type of the running text.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from synthmill.sources.documents.pdf.page_layout import PageBlock
from synthmill.sources.documents.structure import MAX_DEPTH

SIZE_RATIO = 1.15  # between two levels: DocDancer's preprocessing; against running text: ours
MAX_HEADING = 200  # ours: characters; longer text is a paragraph in large type
MAX_LINES = 4  # ours
MAX_NUMBER = 12  # ours: characters that the outline may omit before a title ("12.3.4 ")
OUTLINE_SHARE = 0.5  # ours: the least share of an outline's entries found as text to go by it
MAX_OUTLINE = 20_000  # ours: entries read of an outline

_NUMBERED = re.compile(
    r"(?:chapter|section|part|appendix)?\s*(\d{1,2}(?:\.\d{1,2})*|[A-Z](?:\.\d{1,2})+)\.?\s+\S",
    re.IGNORECASE,
)
_CAPITALS = re.compile(r"(?:[IVX]{1,5}\.|\d{1,2}\.?)\s+[A-Z][A-Z\s,&:-]{3,}")


class OutlineEntry(NamedTuple):
    """An entry of a PDF's outline: its title without white space, page from 1, level from 1."""

    title: str
    page: int
    level: int


def read_outline(opened: Any) -> list[OutlineEntry]:
    """The outline of a document of pypdfium2, as far as it names pages."""
    entries: list[OutlineEntry] = []
    for entry in opened.get_toc(max_depth=MAX_DEPTH):
        destination = entry.get_dest()
        number = destination.get_index() if destination is not None else None
        title = "".join(entry.get_title().split())
        if title and number is not None:
            entries.append(OutlineEntry(title, number + 1, entry.level + 1))
        if len(entries) == MAX_OUTLINE:
            break
    return entries


def body_size(pages: Iterable[Sequence[PageBlock]]) -> float:
    """The size of type that most of the running text has."""
    counts: Counter[float] = Counter()
    for blocks in pages:
        for block in blocks:
            for line in block.lines if block.kind == "text" and not _mono(block) else ():
                counts[round(line.size, 1)] += len(line.text)
    return counts.most_common(1)[0][0] if counts else 10.0


def heading_levels(
    pages: Sequence[Sequence[PageBlock]], outline: Sequence[OutlineEntry], body: float
) -> dict[int, int]:
    """Levels of the blocks that are headings, by `id`; the document's title has level 0."""
    titles = [
        (number, block)
        for number, blocks in enumerate(pages, 1)
        for block in blocks
        if _is_title(block, body)
    ]
    first = next((block for number, block in titles if number == 1), None)
    if first is not None and (_NUMBERED.match(first.text) or len(titles) == 1 == len(pages)):
        first = None
    named = _named_levels(pages, outline)
    if named:
        if first is not None and id(first) in named:
            first = None
        levels = named
    else:
        levels = _size_levels([block for _, block in titles if block is not first])
    if first is not None and first.size > SIZE_RATIO * body:
        levels[id(first)] = 0
    return levels


def _is_title(block: PageBlock, body: float) -> bool:
    text = block.text
    if block.kind != "text" or len(text) > MAX_HEADING or len(block.lines) > MAX_LINES:
        return False
    if sum(map(str.isalpha, text)) < max(2, 0.3 * len(text)) or _mono(block):
        return False
    if block.size > SIZE_RATIO * body:
        return True
    if text[-1] in ".,;:" or block.size < 0.95 * body:
        return bool(_CAPITALS.fullmatch(text)) and block.size > 0.8 * body
    bold = all(line.bold for line in block.lines)
    return (bold and len(block.lines) < 3) or bool(_CAPITALS.fullmatch(text))


def _mono(block: PageBlock) -> bool:
    return bool(block.lines) and all(line.mono for line in block.lines)


def _named_levels(
    pages: Sequence[Sequence[PageBlock]], outline: Sequence[OutlineEntry]
) -> dict[int, int]:
    """Levels of the blocks that the outline names on their page; none if it names few."""
    levels: dict[int, int] = {}
    squeezed: dict[int, list[tuple[str, PageBlock]]] = {}
    for entry in outline:
        if entry.page > len(pages):
            continue
        if entry.page not in squeezed:
            blocks = [b for b in pages[entry.page - 1] if b.kind == "text"]
            short = [b for b in blocks if len(b.text) <= MAX_HEADING]
            squeezed[entry.page] = [("".join(b.text.split()), b) for b in short]
        for shown, block in squeezed[entry.page]:
            ends = shown.casefold().endswith(entry.title.casefold())
            if id(block) not in levels and ends and len(shown) < len(entry.title) + MAX_NUMBER:
                levels[id(block)] = entry.level
                break
    return levels if len(levels) >= OUTLINE_SHARE * len(outline) else {}


def _size_levels(titles: Sequence[PageBlock]) -> dict[int, int]:
    """Levels by size of type; titles of one size are told apart by the depth of their numbers."""
    cluster_of: dict[float, int] = {}
    cluster, last = -1, 0.0
    for size in sorted({round(block.size, 1) for block in titles}, reverse=True):
        if not last or last / size > SIZE_RATIO:
            cluster += 1
        cluster_of[size], last = cluster, size
    keys = [(cluster_of[round(block.size, 1)], _depth(block.text)) for block in titles]
    least: dict[int, int] = {}
    for cluster, depth in keys:
        if depth:
            least[cluster] = min(depth, least.get(cluster, depth))
    keys = [(cluster, depth or least.get(cluster, 1)) for cluster, depth in keys]
    level_of = {key: level for level, key in enumerate(sorted(set(keys)), 1)}
    return {id(block): level_of[key] for block, key in zip(titles, keys, strict=True)}


def _depth(text: str) -> int:
    """How many numbers the heading's number has ("2.1": 2); 0 where it has none."""
    found = _NUMBERED.match(text)
    return found.group(1).count(".") + 1 if found else 0
