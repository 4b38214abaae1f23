"""HTML: the main part of a page as text, headings, lists, code, tables and figures.

The text is that of resiliparse's main-content extraction. Parsing runs in a worker, because a
page with ten thousands of nested tags takes minutes and cannot be interrupted.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from typing import Any, NamedTuple

from pydantic import Field

from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    Cell,
    CodeBlock,
    Element,
    Figure,
    Formula,
    ListElement,
    ListItem,
    Paragraph,
    Table,
)
from synthmill.sources.documents.parsers.base import (
    DocumentParser,
    ParsedLater,
    WorkerSettings,
    document_of,
    require,
    run_in_worker,
)
from synthmill.sources.documents.structure import StructureBuilder, paragraphs
from synthmill.sources.reading.files import InputFile, clean

TITLE_WITHIN = 100_000  # ours: the title is looked for in this many characters
MAX_COLUMN_SPAN = 1000  # the HTML standard's bound

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(/?)(h[1-6]|p|ul|ol|li|pre|br)\b[^>]*>")
_SPAN = re.compile(r"\s*(\d{1,5})")


class HtmlParserSettings(WorkerSettings):
    """Settings of the parser `html`."""

    seconds: float = Field(default=30.0, gt=0, description="time limit of one page")


class HtmlParser(DocumentParser[HtmlParserSettings]):
    """One document per page: its main part, without navigation, titled by `<title>`."""

    name = "html"
    suffixes = (".html", ".htm", ".xhtml")
    Settings = HtmlParserSettings

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The document."""
        require("resiliparse", file, "HTML")
        title, text = run_in_worker("HTML", html_text, file.read_text(), settings=self.settings)
        structure = ParsedLater("HTML", html_structure, file, InputFile.read_text, self.settings)
        yield document_of(file, text, title or file.stem, structure=structure)


def html_text(source: str) -> tuple[str, str]:
    """Title and main text of a page; runs in a worker."""
    import html

    from resiliparse.extract.html2text import extract_plain_text

    text = clean(extract_plain_text(source, main_content=True, preserve_formatting=True))
    found = _TITLE.search(source[:TITLE_WITHIN])
    title = " ".join(html.unescape(found.group(1)).split()) if found else ""
    return title, text


def html_structure(source: str) -> tuple[str, tuple[Element, ...]]:
    """Main text and elements of a page; runs in a worker.

    The extractor gives the same text once plain and once with tags for headings, paragraphs, lists
    and code. The two differ in white space alone, so places are compared without it.
    """
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(source)
    text = clean(extract_plain_text(tree, main_content=True, preserve_formatting=True))
    markup = extract_plain_text(tree, main_content=True, preserve_formatting="minimal_html")
    tagged, blocks = _text_and_blocks(clean(markup))
    plain, other = _Squeezed(text), _Squeezed(tagged)
    if plain.text != other.text:  # never seen on 810 pages; hostile ones may
        return text, paragraphs(text)
    moved = [block.moved(other, plain) for block in blocks]
    return text, _in_order(text, [*filter(None, moved), *_placed(tree, plain)])


class _Squeezed:
    """A text without white space, and the offsets of its characters in the original."""

    def __init__(self, text: str) -> None:
        words = list(re.finditer(r"\S+", text))
        self.text = "".join(word.group() for word in words)
        self._starts = [word.start() for word in words]
        self._places = list(accumulate((word.end() - word.start() for word in words), initial=0))

    def places(self, start: int, end: int) -> tuple[int, int]:
        """A span of the text as its first and last place, white space not counted."""
        return self._place(start), self._place(end) - 1

    def span(self, first: int, last: int) -> tuple[int, int]:
        """The span of the text from one place to another, both within it."""
        return self._offset(first), self._offset(last) + 1

    def _place(self, offset: int) -> int:
        """The number of characters before an offset of the text."""
        word = bisect_right(self._starts, offset) - 1
        if word < 0:
            return 0
        return min(self._places[word] + offset - self._starts[word], self._places[word + 1])

    def _offset(self, place: int) -> int:
        word = bisect_right(self._places, place) - 1
        return self._starts[word] + place - self._places[word]


class _Block(NamedTuple):
    """A span that is a heading (with its level) or another element."""

    start: int
    end: int
    level: int | None = None
    element: Element | None = None

    def moved(self, old: _Squeezed, new: _Squeezed) -> "_Block | None":
        """The block in a text that differs in white space alone; None where it is empty."""
        first, last = old.places(self.start, self.end)
        if first > last:
            return None
        start, end = new.span(first, last)
        element = self.element
        if isinstance(element, ListElement):
            places = ((old.places(item.start, item.end), item.level) for item in element.items)
            items = (ListItem(*new.span(*of), level) for of, level in places if of[0] <= of[1])
            element = replace(element, items=tuple(items))
        return _Block(start, end, self.level, element)


def _text_and_blocks(markup: str) -> tuple[str, list[_Block]]:
    """The text of the extractor's minimal HTML, and the blocks that its tags mark."""
    import html

    pieces: list[str] = []
    blocks: list[_Block] = []
    lists = _Lists()
    length = place = start = 0
    for tag in _TAG.finditer(markup):
        piece = html.unescape(markup[place : tag.start()])
        place = tag.end()
        closes, name = bool(tag.group(1)), tag.group(2)
        if name in ("ul", "ol"):  # the tag has a line of its own, which is left out
            piece = piece.rstrip(" \n" if closes else " ")
            place += not closes and markup.startswith("\n", place)
        pieces.append(piece)
        length += len(piece)
        if name in ("ul", "ol"):
            if (done := lists.change(name, closes, length)) is not None:
                blocks.append(_Block(done.start, done.end, element=done))
        elif name == "li":
            pieces.append(lists.item(closes, length))
            length += len(pieces[-1])
        elif not closes:
            start = length
        elif name == "pre":
            code = CodeBlock(start=start, end=length)
            blocks.append(_Block(start, length, element=code))
        elif name == "p":
            blocks.append(_Block(start, length, element=Paragraph(start=start, end=length)))
        elif name != "br":
            blocks.append(_Block(start, length, level=int(name[1])))
    pieces.append(html.unescape(markup[place:]))
    return "".join(pieces), blocks


class _Lists:
    """The open lists while the text is scanned."""

    def __init__(self) -> None:
        self._counts: list[int | None] = []  # items so far; None for lists without numbers
        self._start = 0
        self._ordered = False
        self._items: list[ListItem] = []
        self._open: tuple[int, int] | None = None  # start and level of the open item

    def change(self, name: str, closes: bool, place: int) -> ListElement | None:
        """Open or close a list; returns the outermost list when it closes."""
        self._close_item(place)
        if not closes:
            if not self._counts:
                self._start, self._ordered, self._items = place, name == "ol", []
            self._counts.append(0 if name == "ol" else None)
            return None
        if self._counts:
            self._counts.pop()
        if self._counts or not self._items:
            return None
        items = tuple(self._items)
        return ListElement(start=self._start, end=place, items=items, ordered=self._ordered)

    def item(self, closes: bool, place: int) -> str:
        """Open or close an item; returns the bullet of an item that opens."""
        self._close_item(place)
        if closes or not self._counts:
            return ""
        bullet = "• "
        count = self._counts[-1]
        if count is not None:
            self._counts[-1] = count + 1
            bullet = f"{count + 1}. "
        self._open = place + len(bullet), len(self._counts)
        return bullet

    def _close_item(self, place: int) -> None:
        if self._open is not None and self._open[0] < place:
            self._items.append(ListItem(self._open[0], place, self._open[1]))
        self._open = None


def _placed(tree: Any, squeezed: _Squeezed) -> list[_Block]:
    """Tables, figures and display formulas of the page, located in its text.

    The extractor drops their structure and leaves some of them out. Those that are not found in
    order stay running text.
    """
    nodes = tree.body.query_selector_all("table, figure, math") if tree.body else []
    if not nodes:
        return []
    done = 0
    blocks: list[_Block] = []
    for node in nodes:
        # The extractor puts an image's description where the image stands.
        caption = node if node.tag != "figure" else node.query_selector("figcaption")
        text = "".join(clean(caption.inner_text).split()) if caption else ""
        described = "".join(_alt(node).split()) if node.tag == "figure" else ""
        shown, place = "", -1
        for shown in dict.fromkeys((described + text, text + described, text)):
            place = squeezed.text.find(shown, done) if shown else -1
            if place >= 0:
                break
        if place < 0:
            continue
        start, end = squeezed.span(place, place + len(shown) - 1)
        element = _element(node, start, end)
        if element is not None:
            done = place + len(shown)
            blocks.append(_Block(start, end, element=element))
    return blocks


def _element(node: Any, start: int, end: int) -> Element | None:
    if node.tag == "table":
        layout = node.query_selector("table, h1, h2, h3, h4, h5, h6")
        cells = () if layout else tuple(_cells(node))
        caption = _line(node.query_selector("caption"))
        return Table(start=start, end=end, cells=cells, caption=caption) if cells else None
    if node.tag == "figure":
        image = node.query_selector("img")
        source = clean(image.getattr("src", "")) if image else ""
        caption = _line(node.query_selector("figcaption"))
        return Figure(start=start, end=end, caption=caption, image=source or None, alt=_alt(node))
    latex = node.query_selector('annotation[encoding="application/x-tex"]')
    if node.getattr("display", "") != "block" or latex is None:
        return None
    return Formula(start=start, end=end, latex=clean(latex.text).strip())


def _alt(figure: Any) -> str:
    """The description of a figure's image."""
    image = figure.query_selector("img")
    return " ".join(clean(image.getattr("alt", "")).split()) if image else ""


def _cells(table: Any) -> Iterator[Cell]:
    rows = list(table.query_selector_all("tr"))
    taken: dict[int, int] = {}  # the first row in which a column is free again
    for row, node in enumerate(rows):
        column = 0
        for cell in node.query_selector_all("td, th"):
            while taken.get(column, 0) > row:
                column += 1
            width = min(_span(cell, "colspan"), MAX_COLUMN_SPAN)
            height = min(_span(cell, "rowspan"), len(rows) - row)
            yield Cell(_line(cell), row, column, height, width, cell.tag == "th")
            for place in range(column, column + width):
                taken[place] = row + height
            column += width


def _span(cell: Any, name: str) -> int:
    found = _SPAN.match(cell.getattr(name, ""))
    return max(1, int(found.group(1))) if found else 1


def _line(node: Any) -> str:
    return " ".join(clean(node.inner_text).split()) if node else ""


def _in_order(text: str, blocks: list[_Block]) -> tuple[Element, ...]:
    """The elements in the order of the text; uncovered text becomes paragraphs."""
    tree, done = StructureBuilder(), 0
    for block in sorted(blocks, key=lambda block: (block.start, -block.end)):
        start, end = block.start, block.end
        if start < done:  # within a table
            continue
        tree.add_paragraphs(text, done, start)
        if block.element is None:
            tree.add_heading(start, end, block.level or 1)
        else:
            tree.add(replace(block.element, start=start, end=end))
        done = end
    tree.add_paragraphs(text, done, len(text))
    return tree.elements()
