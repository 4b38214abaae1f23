"""What surrounds the text of a page: running headers and footers, page numbers, footnotes.

All constants are ours.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from synthmill.sources.documents.pdf.page_layout import BlockLine, PageBlock

MARGIN = 0.13  # of the page's height: headers and footers are no further from its edge
NEAR_PAGES = 4  # a header is looked for on so many pages before and after
SAME_PLACE = 6.0  # points by which it may move
REPEATS = 2  # other pages near by that have it
NOTE_SIZE = 0.93  # of the running text's size: footnotes are smaller
NOTE_TOP = 0.45  # of the page's height: footnotes stand below

_DIGITS = re.compile(r"\d+|\b[ivxlcIVXLC]+\b")
_PAGE_NUMBER = re.compile(
    r"(?:page\s*)?[-–—\s]*(?:\d{1,5}|[ivxlc]{1,8})[-–—\s]*(?:(?:of|/)\s*\d{1,5})?", re.IGNORECASE
)
_MARK = re.compile(r"\s*(\d{1,3}|[*†‡§¶‖]{1,3}|\(?[a-z]\))[.)]?\s*(?=\S)")


class FoundNote(NamedTuple):
    """A footnote: its mark, and its lines, the first without the mark."""

    label: str
    lines: list[BlockLine]


def without_running_heads(
    pages: Sequence[list[PageBlock]], heights: Sequence[float]
) -> list[list[PageBlock]]:
    """The blocks of each page without those that pages near by repeat in the same margin."""
    margins = [
        [(block, key) for block in blocks if (key := _margin_key(block, height))]
        for blocks, height in zip(pages, heights, strict=True)
    ]
    kept: list[list[PageBlock]] = []
    for at, blocks in enumerate(pages):
        near = margins[max(0, at - NEAR_PAGES) : at] + margins[at + 1 : at + 1 + NEAR_PAGES]
        dropped: set[int] = set()
        for block, (is_top, place, text) in margins[at]:
            repeats = sum(
                any(
                    top == is_top and abs(other - place) < SAME_PLACE and same == text
                    for _, (top, other, same) in page
                )
                for page in near
            )
            number = _PAGE_NUMBER.fullmatch(block.text.strip())
            if number or (len(pages) > 1 and repeats >= min(REPEATS, len(pages) - 1)):
                dropped.add(id(block))
        if len(dropped) == len(blocks):  # the page holds nothing else
            dropped = set()
        kept.append([block for block in blocks if id(block) not in dropped])
    return kept


def _margin_key(block: PageBlock, height: float) -> tuple[bool, float, str] | None:
    """Which margin a short block is in, where, and its text without numbers."""
    if block.kind != "text" or len(block.lines) > 2:
        return None
    if block.lines[0].marks[:1] and block.lines[0].marks[0][0] == 0:  # a footnote
        return None
    is_top = block.box.y1 <= MARGIN * height
    if not is_top and block.box.y0 < (1 - MARGIN) * height:
        return None
    return is_top, block.lines[0].baseline, _DIGITS.sub("#", block.text)


def footnotes_of(block: PageBlock, body: float, height: float) -> list[FoundNote]:
    """The footnotes in a block of small type that begins with a mark; else none."""
    low = block.box.y0 > NOTE_TOP * height
    if block.kind != "text" or not low or block.size > NOTE_SIZE * body:
        return []
    notes: list[FoundNote] = []
    for line in block.lines:
        found = _MARK.match(line.text)
        raised = bool(line.marks) and line.marks[0][0] == 0
        symbol = bool(found) and not found.group(1)[0].isalnum()  # type: ignore[union-attr]
        if found and (raised or symbol or not notes):
            cut = found.end()
            marks = tuple((offset - cut, mark) for offset, mark in line.marks if offset >= cut)
            label = line.marks[0][1].strip(".)") if raised else found.group(1)
            if raised:
                cut = len(line.marks[0][1])
                cut += len(line.text[cut:]) - len(line.text[cut:].lstrip())
                marks = tuple((o - cut, m) for o, m in line.marks[1:] if o >= cut)
            notes.append(FoundNote(label, [line._replace(text=line.text[cut:], marks=marks)]))
        elif notes:
            notes[-1].lines.append(line)
        else:
            return []
    return [note for note in notes if "".join(line.text for line in note.lines).strip()]
