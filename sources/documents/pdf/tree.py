"""The tree of a PDF: its pages read one after the other, then put together as one document."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from synthmill.sources.documents.elements import (
    BoundingBox,
    CodeBlock,
    DocumentTitle,
    Element,
    Figure,
    Footnote,
    ListElement,
    ListItem,
    Page,
    Paragraph,
    Table,
)
from synthmill.sources.documents.pdf.furniture import footnotes_of, without_running_heads
from synthmill.sources.documents.pdf.headings import body_size, heading_levels, read_outline
from synthmill.sources.documents.pdf.page_content import PageContent
from synthmill.sources.documents.pdf.page_layout import BlockLine, PageBlock
from synthmill.sources.documents.structure import StructureBuilder

MAX_VOCABULARY = 300_000  # ours: words remembered to tell how a hyphenated one is written
ITEM_INDENT = 8.0  # ours: points by which a list within a list is indented
BULLETS = "•◦▪▸▶➢‣●○■□–—*·-"

_CUT_WORD = re.compile(r"([^\W\d_]+)-$")
_NEXT_WORD = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_ENDED = re.compile(r"[.:!?;…\"”’)\]]\s*$")


@dataclass(slots=True)
class PdfPage:
    """A page that was read: its size as shown, how its text was turned, and its blocks."""

    content: PageContent
    blocks: list[PageBlock]


class PdfTreeWriter:
    """Writes the text of a document and its elements, page by page."""

    def __init__(self, pages: Sequence[PdfPage], opened: Any) -> None:
        heights = [page.content.height for page in pages]
        self._pages = pages
        self._blocks = without_running_heads([page.blocks for page in pages], heights)
        self._body = body_size(self._blocks)
        self._levels = heading_levels(self._blocks, read_outline(opened), self._body)
        self._words = self._vocabulary()
        self._parts: list[str] = []
        self._length = 0
        self._tree = StructureBuilder()
        self._marks: list[tuple[int, str]] = []  # superscripts of the page: offset, text
        self._open_end = False  # whether the last paragraph was cut off by a column or page
        self._number = 0

    def write(self) -> tuple[str, tuple[Page, ...], tuple[Element, ...]]:
        """Text, pages and elements."""
        pages = []
        for page, blocks in zip(self._pages, self._blocks, strict=True):
            self._number += 1
            self._put("\f" if self._number > 1 else "")
            start = self._length
            self._page(page, blocks)
            size = page.content.width, page.content.height
            if page.content.turn in (90, 270):
                size = size[1], size[0]
            pages.append(Page(self._number, *size, start, self._length))
        return "".join(self._parts), tuple(pages), self._tree.elements()

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _page(self, page: PdfPage, blocks: list[PageBlock]) -> None:
        self._marks = []
        self._page_start = self._length
        notes: list[PageBlock] = []
        last: PageBlock | None = None
        at = 0
        while at < len(blocks):
            block = blocks[at]
            at += 1
            if id(block) not in self._levels and footnotes_of(
                block, self._body, page.content.height
            ):
                notes.append(block)
                continue
            run = [block]
            while at < len(blocks) and self._same_run(run, blocks[at]):
                run.append(blocks[at])
                at += 1
            self._run(run, page, last)
            last = block
        for block in notes:
            self._footnotes(block, page)

    def _same_run(self, run: list[PageBlock], following: PageBlock) -> bool:
        """Whether a block goes on with the list or the code before it."""
        first, last = run[0], run[-1]
        if id(first) in self._levels or id(following) in self._levels:
            return False
        if first.kind != "text" or following.kind != "text":
            return False
        if _is_code(first):
            return _is_code(following) and following.box.y0 >= last.box.y1 - 2
        return bool(_list_bullet(first) and _list_bullet(following))

    def _run(self, run: list[PageBlock], page: PdfPage, last: PageBlock | None) -> None:
        block = run[0]
        level = self._levels.get(id(block))
        if block.kind == "table":
            self._table(block, page)
        elif block.kind == "figure":
            self._figure(block, page)
        elif level is not None:
            self._open_end = False
            start, end = self._lines(block.lines)
            box = page.content.shown(block.box)
            if level == 0:
                self._tree.add(DocumentTitle(start=start, end=end, page=self._number, box=box))
            else:
                self._tree.add_heading(start, end, level, self._number, box)
        elif _is_code(block):
            self._code(run, page)
        elif _list_bullet(block) and (len(run) > 1 or block.bullet in BULLETS):
            self._list(run, page)
        else:
            for one in run:
                self._paragraph(one, page)

    def _paragraph(self, block: PageBlock, page: PdfPage) -> None:
        text = block.lines[0].text
        continues = self._open_end and text[:1].islower() and block.kind == "text"
        start, end = self._lines(block.lines)
        box = page.content.shown(block.box)
        self._tree.add(
            Paragraph(start=start, end=end, page=self._number, box=box, continues=continues)
        )
        if block.kind == "text":
            self._open_end = not _ENDED.search(block.lines[-1].text)

    def _code(self, run: list[PageBlock], page: PdfPage) -> None:
        lines = [line for block in run for line in block.lines]
        left = min(line.box.x0 for line in lines)
        width = sum(line.box.x1 - line.box.x0 for line in lines)
        width /= max(1, sum(len(line.text) for line in lines))
        self._separate()
        start = self._length
        for at, line in enumerate(lines):
            indent = round((line.box.x0 - left) / width) if width > 0 and at else 0
            self._put(("\n" if at else "") + " " * min(indent, 80) + line.text)
        box = page.content.shown(_around(run))
        self._tree.add(CodeBlock(start=start, end=self._length, page=self._number, box=box))

    def _list(self, run: list[PageBlock], page: PdfPage) -> None:
        self._separate()
        start = self._length
        items: list[ListItem] = []
        lefts: list[float] = []  # the edges of the lists that are open
        for at, block in enumerate(run):
            while lefts and block.box.x0 < lefts[-1] - ITEM_INDENT / 2:
                lefts.pop()
            if not lefts or block.box.x0 > lefts[-1] + ITEM_INDENT:
                lefts.append(block.box.x0)
            self._put("\n" if at else "")
            first, end = self._joined(block.lines)
            bullet = len(block.bullet) + 1
            items.append(ListItem(min(first + bullet, end), end, len(lefts)))
        ordered = run[0].bullet not in BULLETS
        box = page.content.shown(_around(run))
        self._tree.add(
            ListElement(
                start=start,
                end=self._length,
                page=self._number,
                box=box,
                items=tuple(items),
                ordered=ordered,
            )
        )
        self._open_end = False

    def _table(self, block: PageBlock, page: PdfPage) -> None:
        caption, caption_box = self._caption(block, page)
        start = self._length - len(caption)
        rows: dict[int, list[str]] = {}
        for cell in block.cells:
            rows.setdefault(cell.row, []).append(cell.text)
        body = "\n".join("\t".join(row).rstrip() for row in rows.values()).strip()
        if caption and body:
            self._put("\n")
        elif not caption:
            self._separate()
            start = self._length
        self._put(body)
        cells = tuple(
            cell._replace(box=page.content.shown(cell.box) if cell.box else None)
            for cell in block.cells
        )
        self._tree.add(
            Table(
                start=start,
                end=self._length,
                page=self._number,
                box=page.content.shown(block.box),
                cells=cells,
                caption=caption,
                caption_box=caption_box,
            )
        )

    def _figure(self, block: PageBlock, page: PdfPage) -> None:
        caption, caption_box = self._caption(block, page)
        start = self._length - len(caption)
        if block.lines:
            if caption:
                self._put("\n")
            else:
                self._separate()
                start = self._length
            self._put("\n".join(line.text for line in block.lines))
        self._tree.add(
            Figure(
                start=start,
                end=self._length,
                page=self._number,
                box=page.content.shown(block.box),
                caption=caption,
                caption_box=caption_box,
            )
        )

    def _caption(self, block: PageBlock, page: PdfPage) -> tuple[str, BoundingBox | None]:
        if not block.caption:
            return "", None
        start, end = self._lines(block.caption)
        text = self._last(start, end)
        x0, y0, x1, y1 = zip(*(line.box for line in block.caption), strict=True)
        box = BoundingBox(min(x0), min(y0), max(x1), max(y1))
        return text, page.content.shown(box)

    def _last(self, start: int, end: int) -> str:
        """What was written last."""
        length, parts = 0, list[str]()
        while length < end - start:
            parts.append(self._parts[-1 - len(parts)])
            length += len(parts[-1])
        return "".join(reversed(parts))[-(end - start) :]

    def _footnotes(self, block: PageBlock, page: PdfPage) -> None:
        box = page.content.shown(block.box)
        body_marks = list(self._marks)
        for note in footnotes_of(block, self._body, page.content.height):
            marks = tuple(offset for offset, mark in body_marks if mark == note.label)
            start, end = self._lines(note.lines)
            x0, y0, x1, y1 = zip(*(line.box for line in note.lines), strict=True)
            box = page.content.shown(BoundingBox(min(x0), min(y0), max(x1), max(y1)))
            self._tree.add(
                Footnote(
                    start=start,
                    end=end,
                    page=self._number,
                    box=box,
                    label=note.label,
                    marks=marks,
                )
            )

    def _separate(self) -> None:
        """A blank line, unless the page begins here."""
        if self._length > self._page_start:
            self._put("\n\n")

    def _lines(self, lines: Sequence[BlockLine]) -> tuple[int, int]:
        """Write lines as one paragraph after a blank line; its span."""
        self._separate()
        return self._joined(lines)

    def _joined(self, lines: Sequence[BlockLine]) -> tuple[int, int]:
        """Write lines with spaces between them, words that were cut put together; their span."""
        start = self._length
        text = ""
        for line in lines:
            text = self._continued(text, line.text) if text else line.text
            begins = start + len(text) - len(line.text)
            self._marks += [(begins + offset, mark) for offset, mark in line.marks]
        self._put(text)
        return start, self._length

    def _continued(self, text: str, following: str) -> str:
        """A text that goes on with the next line, where the last word may be cut."""
        cut = _CUT_WORD.search(text)
        rest = _NEXT_WORD.match(following)
        if not cut or not rest or not following[:1].islower():
            return f"{text} {following}"
        joined = f"{cut.group(1)}{rest.group()}".casefold()
        written = f"{cut.group(1)}-{rest.group()}".casefold()
        if written in self._words and joined not in self._words:
            return f"{text}{following}"
        return f"{text[:-1]}{following}"

    def _vocabulary(self) -> set[str]:
        """The words within lines, which are not cut."""
        words: set[str] = set()
        for blocks in self._blocks:
            for block in blocks:
                for line in block.lines:
                    words.update(found.casefold() for found in _WORDS.findall(line.text))
            if len(words) > MAX_VOCABULARY:
                break
        return words


def _is_code(block: PageBlock) -> bool:
    return block.kind == "text" and not block.bullet and all(line.mono for line in block.lines)


def _list_bullet(block: PageBlock) -> str:
    return block.bullet if block.kind == "text" else ""


def _around(blocks: Sequence[PageBlock]) -> BoundingBox:
    x0, y0, x1, y1 = zip(*(block.box for block in blocks), strict=True)
    return BoundingBox(min(x0), min(y0), max(x1), max(y1))
