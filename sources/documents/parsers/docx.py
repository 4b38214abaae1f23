"""DOCX: headings by style, lists, tables with spans, images with captions, footnotes."""

import re
import zipfile
from collections.abc import Iterator
from typing import Any, ClassVar

from synthmill.sources.documents.elements import (
    Cell,
    DocumentTitle,
    Element,
    Figure,
    Footnote,
    ListElement,
    ListItem,
    Paragraph,
    Table,
)
from synthmill.sources.documents.parsers._stored import StoredTreeParser, TreeFunction
from synthmill.sources.documents.parsers.base import WorkerSettings, require
from synthmill.sources.documents.stored_tree import ParsedTree
from synthmill.sources.documents.structure import StructureBuilder
from synthmill.sources.reading.files import InputFile, Unreadable, clean

MAX_UNPACKED = 512 << 20  # ours: bytes that all parts may unpack to
MAX_SPAN = 1000  # ours: columns that a cell may span, as in HTML

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)


class DocxParser(StoredTreeParser[WorkerSettings]):
    """One document per file, titled by its properties or its title paragraph."""

    name = "docx"
    suffixes = (".docx",)
    Settings = WorkerSettings
    form: ClassVar[str] = "DOCX"
    empty: ClassVar[tuple[str, str]] = ("empty document", "no text")

    def tree_function(self) -> TreeFunction:
        """The whole of this module."""
        return docx_tree

    def limits(self, file: InputFile) -> Any:
        """As of any parser.

        Raises:
            InputError: python-docx is not installed.
        """
        require("docx", file, "DOCX")
        return super().limits(file)


def docx_tree(file: InputFile, settings: WorkerSettings) -> ParsedTree:
    """The tree of a DOCX file; runs in a worker.

    Raises:
        Unreadable: it is none, or unpacks to too much.
    """
    import io

    import docx

    data = file.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > MAX_UNPACKED:
            raise Unreadable("file too large", f"unpacks to more than {MAX_UNPACKED:,} bytes")
        opened = docx.Document(io.BytesIO(data))
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        raise Unreadable("unreadable DOCX", str(error) or type(error).__name__) from error
    writer = _DocxWriter(opened)
    text, elements = writer.write()
    title = clean(" ".join((opened.core_properties.title or "").split())) or writer.title
    return ParsedTree(title, text, (), elements)


class _DocxWriter:
    """Writes the blocks of a document's body, then its footnotes."""

    def __init__(self, opened: Any) -> None:
        self._opened = opened
        self._parts: list[str] = []
        self._length = 0
        self._tree = StructureBuilder()
        self._labels: dict[str, tuple[str, list[int]]] = {}  # notes: label, offsets of marks
        self.title = ""

    def write(self) -> tuple[str, tuple[Element, ...]]:
        blocks = list(self._opened.element.body)
        at = 0
        while at < len(blocks):
            block = blocks[at]
            at += 1
            if block.tag == f"{_W}tbl":
                self._table(block, self._caption_at(blocks, at - 2, at))
            elif block.tag == f"{_W}p":
                style = self._style(block)
                if style == "caption" and self._belongs(blocks, at - 1):
                    continue
                if self._is_item(block, style):
                    run = [block]
                    while at < len(blocks) and self._is_item(blocks[at], self._style(blocks[at])):
                        run.append(blocks[at])
                        at += 1
                    self._list(run)
                    continue
                self._paragraph(block, style, blocks, at)
        self._footnotes()
        return "".join(self._parts), self._tree.elements()

    def _put(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)

    def _separate(self) -> None:
        if self._length:
            self._put("\n\n")

    def _style(self, block: Any) -> str:
        """The name of a paragraph's style in lower case."""
        found = block.find(f"{_W}pPr/{_W}pStyle")
        if found is None:
            return ""
        wanted = found.get(f"{_W}val")
        style = next((s for s in self._opened.styles if s.style_id == wanted), None)
        return str(style.name if style is not None else wanted or "").lower()

    def _is_item(self, block: Any, style: str) -> bool:
        if block.tag != f"{_W}p" or _HEADING.match(style) or not _shown(block):
            return False
        return style.startswith("list") or block.find(f"{_W}pPr/{_W}numPr") is not None

    def _paragraph(self, block: Any, style: str, blocks: list[Any], at: int) -> None:
        for image, alt in self._images(block):
            self._figure(image, alt, self._caption_at(blocks, at - 2, at))
        text, marks = self._text_of(block)
        if not text.strip():
            return
        self._separate()
        start = self._length
        self._put(text)
        self._mark(marks, start)
        heading = _HEADING.match(style)
        if heading:
            self._tree.add_heading(start, self._length, int(heading.group(1)))
        elif style == "title" and not self.title:
            self.title = text
            self._tree.add(DocumentTitle(start=start, end=self._length))
        else:
            self._tree.add(Paragraph(start=start, end=self._length))

    def _list(self, run: list[Any]) -> None:
        self._separate()
        start = self._length
        items = []
        for at, block in enumerate(run):
            self._put("\n• " if at else "• ")
            first = self._length
            text, marks = self._text_of(block)
            self._put(text)
            self._mark(marks, first)
            depth = block.find(f"{_W}pPr/{_W}numPr/{_W}ilvl")
            level = int(depth.get(f"{_W}val") or 0) + 1 if depth is not None else 1
            items.append(ListItem(first, self._length, level))
        ordered = "number" in self._style(run[0])
        self._tree.add(
            ListElement(start=start, end=self._length, items=tuple(items), ordered=ordered)
        )

    def _table(self, block: Any, caption: str) -> None:
        cells = tuple(self._cells(block))
        rows: dict[int, list[str]] = {}
        for cell in cells:
            rows.setdefault(cell.row, []).append(cell.text)
        body = "\n".join("\t".join(row).rstrip() for row in rows.values()).strip()
        if not body:
            return
        self._separate()
        start = self._length
        self._put(f"{caption}\n{body}" if caption else body)
        self._tree.add(Table(start=start, end=self._length, cells=cells, caption=caption))

    def _cells(self, table: Any) -> Iterator[Cell]:
        """Cells with their spans; a cell that goes on with the one above it counts to that."""
        found: list[Cell] = []
        above: dict[int, int] = {}  # place in `found` of the cell over a column
        rows = table.findall(f"{_W}tr")
        for row, node in enumerate(rows):
            column = 0
            header = node.find(f"{_W}trPr/{_W}tblHeader") is not None
            for cell in node.findall(f"{_W}tc"):
                span = cell.find(f"{_W}tcPr/{_W}gridSpan")
                width = min(int(span.get(f"{_W}val") or 1), MAX_SPAN) if span is not None else 1
                merge = cell.find(f"{_W}tcPr/{_W}vMerge")
                goes_on = merge is not None and merge.get(f"{_W}val", "continue") == "continue"
                if goes_on and column in above:
                    last = found[above[column]]
                    found[above[column]] = last._replace(row_span=row - last.row + 1)
                else:
                    text = " ".join(self._text_of(p)[0] for p in cell.iter(f"{_W}p")).split()
                    above[column] = len(found)
                    found.append(Cell(" ".join(text), row, column, 1, width, header))
                column += width
        marked = any(cell.header for cell in found)
        for cell in found:
            yield cell if marked else cell._replace(header=cell.row == 0 and len(rows) > 1)

    def _images(self, block: Any) -> Iterator[tuple[str, str]]:
        """The names of the parts of a paragraph's images, with their descriptions."""
        for drawing in block.iter(f"{_W}drawing"):
            described = next(drawing.iter(f"{_WP}docPr"), None)
            alt = clean(described.get("descr") or "") if described is not None else ""
            for blip in drawing.iter(f"{_A}blip"):
                part = self._opened.part.related_parts.get(blip.get(f"{_R}embed"))
                if part is not None:
                    yield str(part.partname).lstrip("/"), alt

    def _figure(self, image: str, alt: str, caption: str) -> None:
        start = self._length
        if caption:
            self._separate()
            start = self._length
            self._put(caption)
        self._tree.add(Figure(start=start, end=self._length, image=image, alt=alt, caption=caption))

    def _caption_at(self, blocks: list[Any], before: int, after: int) -> str:
        """The text of the caption next to a table or image: below an image, above a table."""
        for place in (after, before) if self._holds_image(blocks, before + 1) else (before, after):
            block = blocks[place] if 0 <= place < len(blocks) else None
            if block is not None and block.tag == f"{_W}p" and self._style(block) == "caption":
                return self._text_of(block)[0].strip()
        return ""

    def _belongs(self, blocks: list[Any], at: int) -> bool:
        """Whether a caption stands next to a table or image, with which it is written."""
        near = [place for place in (at - 1, at + 1) if 0 <= place < len(blocks)]
        return any(
            blocks[place].tag == f"{_W}tbl" or self._holds_image(blocks, place) for place in near
        )

    def _holds_image(self, blocks: list[Any], place: int) -> bool:
        return any(True for _ in self._images(blocks[place]))

    def _text_of(self, block: Any) -> tuple[str, list[tuple[int, str]]]:
        """The text of a paragraph, and the offsets of the marks of footnotes in it."""
        text = ""
        marks: list[tuple[int, str]] = []
        for node in _shown(block):
            if node.tag == f"{_W}t":
                text += node.text or ""
            elif node.tag in (f"{_W}tab", f"{_W}br"):
                text += " "
            else:
                name = str(node.get(f"{_W}id"))
                label, _ = self._labels.setdefault(name, (str(len(self._labels) + 1), []))
                marks.append((len(text), name))
                text += label
        left = len(text) - len(text.lstrip())
        return clean(text.strip()), [(offset - left, name) for offset, name in marks]

    def _mark(self, marks: list[tuple[int, str]], start: int) -> None:
        for offset, name in marks:
            self._labels[name][1].append(start + offset)

    def _footnotes(self) -> None:
        from docx.oxml import parse_xml

        part = next(
            (p for p in self._opened.part.package.iter_parts() if "footnotes" in str(p.partname)),
            None,
        )
        if part is None:
            return
        notes = {note.get(f"{_W}id"): note for note in parse_xml(part.blob).iter(f"{_W}footnote")}
        for name, (label, places) in list(self._labels.items()):
            if name not in notes:
                continue
            found = [self._text_of(p)[0] for p in notes[name].iter(f"{_W}p")]
            text = " ".join(filter(None, found))
            if text:
                self._separate()
                start = self._length
                self._put(text)
                marks = tuple(places)
                self._tree.add(Footnote(start=start, end=self._length, label=label, marks=marks))


def _shown(block: Any) -> list[Any]:
    """The nodes of a paragraph that are shown as text, without what older programs show instead."""
    tags = {f"{_W}t", f"{_W}tab", f"{_W}br", f"{_W}footnoteReference"}
    return [
        node
        for node in block.iter(*tags)
        if not any(parent.tag in (_FALLBACK, f"{_W}pPr") for parent in node.iterancestors())
    ]
