"""Markdown: CommonMark's blocks with tables, display formulas and footnotes."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from synthmill.schemas.base import Settings
from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    Cell,
    CodeBlock,
    Element,
    Figure,
    Footnote,
    Formula,
    ListElement,
    ListItem,
    Paragraph,
    Table,
)
from synthmill.sources.documents.parsers.base import DocumentParser, document_of
from synthmill.sources.documents.structure import StructureBuilder
from synthmill.sources.reading.files import InputFile

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_TITLE = re.compile(r"^#{1,2}[ \t]+(\S.*)$", re.MULTILINE)
_FIGURE = re.compile(r"!\[([^\]]*)\]\(\s*<?([^\s>)]*)[^)\n]*\)")
_FORMULA = re.compile(r"\$\$((?:(?!\$\$).)+)\$\$|\\\[((?:(?!\\\]).)+)\\\]", re.DOTALL)
_FOOTNOTE = re.compile(r"^\[\^([^\]\s]+)\]:[ \t]*(?=\S)", re.MULTILINE)
_BULLET = re.compile(r"[ \t>]*(?:[-+*]|\d{1,9}[.)])[ \t]+")
_QUOTE = re.compile(r"[ \t>]*")


class MarkdownParser(DocumentParser[Settings]):
    """One document, the file as written; its first heading of level 1 or 2 is the title."""

    name = "markdown"
    suffixes = (".md", ".markdown")

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The document."""
        text = file.read_text()
        heading = _TITLE.search(text)
        title = heading.group(1).rstrip().rstrip("#").rstrip() if heading else None
        yield document_of(file, text, title, structure=markdown_elements)


def markdown_elements(text: str) -> tuple[Element, ...]:
    """The elements of a Markdown text. Emphasis and links stay in their texts as written.

    A heading's span is its title alone; that of any other block is all of its lines.
    """
    return _Blocks(text).elements()


@cache
def _block_parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    parser.core.ruler.enableOnly(["normalize", "block"])  # inline markup is not parsed
    return parser


class _Blocks:
    """Converts markdown-it's tokens, which have line numbers, to elements with character spans."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(found.end() for found in re.finditer("\n", text)), len(text)]
        self._tree = StructureBuilder()
        self._done = 0  # everything before this offset is handled

    def elements(self) -> tuple[Element, ...]:
        tokens = _block_parser().parse(self._text)
        place = 0
        while place < len(tokens):
            token = tokens[place]
            last = place + 1
            if token.nesting == 1:
                last = _closing(tokens, place) + 1
            if token.type == "blockquote_open":
                last = place + 1  # the quoted blocks follow as tokens
            elif token.map is not None:
                self._add(token, tokens[place:last])
            place = last
        self._fill(len(self._text))
        return self._tree.elements()

    def _add(self, token: "Token", inner: Sequence["Token"]) -> None:
        start, end = self._span(token)
        if start < self._done or start >= end:
            return
        self._fill(start)
        self._done = end
        if token.type == "heading_open":
            self._heading(start, end, int(token.tag[1]), inner[1].content)
        elif token.type in ("fence", "code_block"):
            self._tree.add(CodeBlock(start=start, end=end))
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            items = tuple(self._items(inner))
            ordered = token.type == "ordered_list_open"
            self._tree.add(ListElement(start=start, end=end, items=items, ordered=ordered))
        elif token.type == "table_open":
            self._tree.add(Table(start=start, end=end, cells=tuple(_cells(inner))))
        elif token.type == "paragraph_open":
            self._paragraph(start, end)
        elif token.type != "hr":
            self._tree.add(Paragraph(start=start, end=end))

    def _span(self, token: "Token") -> tuple[int, int]:
        """The characters of a token's lines, without white space and quote marks around them."""
        first, last = token.map or (0, 0)
        start, end = self._starts[first], self._starts[last]
        marks = _QUOTE.match(self._text, start, end)
        start = marks.end() if marks else start
        return start, start + len(self._text[start:end].rstrip())

    def _fill(self, end: int) -> None:
        """Add text that no token covers, such as definitions of links and footnotes."""
        left = self._text[self._done : end]
        if left.strip(" \t\n>-*_"):
            for found in re.finditer(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*", left):
                start = self._done + found.start()
                self._paragraph(start, start + len(found.group().rstrip()))

    def _heading(self, start: int, end: int, level: int, title: str) -> None:
        found = self._text.find(title, start, end) if title else -1
        if found >= 0:
            self._tree.add_heading(found, found + len(title), level)

    def _paragraph(self, start: int, end: int) -> None:
        start += len(self._text[start:end]) - len(self._text[start:end].lstrip())
        block = self._text[start:end]
        notes = [*_FOOTNOTE.finditer(block)]
        if notes and notes[0].start() == 0:
            ends = [*(note.start() for note in notes[1:]), len(block)]
            for note, last in zip(notes, ends, strict=True):
                stop = start + len(block[:last].rstrip())
                label = note.group(1)
                self._tree.add(Footnote(start=start + note.end(), end=stop, label=label))
        elif formula := _FORMULA.fullmatch(block):
            latex = (formula.group(1) or formula.group(2)).strip()
            self._tree.add(Formula(start=start, end=end, latex=latex))
        elif figure := _FIGURE.fullmatch(block):
            caption, image = figure.groups()
            self._tree.add(Figure(start=start, end=end, caption=caption, image=image))
        else:
            self._tree.add(Paragraph(start=start, end=end))

    def _items(self, tokens: Sequence["Token"]) -> Iterator[ListItem]:
        """The items of a list: each ends where the first item of a list within it begins."""
        opened = [token for token in tokens if token.type == "list_item_open"]
        for number, token in enumerate(opened):
            start, end = self._span(token)
            bullet = _BULLET.match(self._text, start, end)
            start = bullet.end() if bullet else start
            if number + 1 < len(opened) and opened[number + 1].level > token.level:
                inner = self._starts[(opened[number + 1].map or (0, 0))[0]]
                end = min(end, max(start, inner))
            end = start + len(self._text[start:end].rstrip())
            if start < end:
                yield ListItem(start, end, (token.level - tokens[0].level + 1) // 2)


def _closing(tokens: Sequence["Token"], place: int) -> int:
    """The index of the token that closes the one at `place`."""
    level = tokens[place].level
    while tokens[place].nesting != -1 or tokens[place].level != level:
        place += 1
    return place


def _cells(tokens: Sequence["Token"]) -> Iterator[Cell]:
    row = column = -1
    for token, inner in pairwise(tokens):
        if token.type == "tr_open":
            row, column = row + 1, -1
        elif token.type in ("th_open", "td_open"):
            column += 1
            yield Cell(inner.content, row, column, header=token.type == "th_open")
