"""PDF and Office files by Docling's layout and table models; only where a recipe names it."""

import io
from collections.abc import Callable
from importlib.util import find_spec
from itertools import groupby
from typing import Any, ClassVar

from pydantic import Field

from synthmill.runtime.workers import Limits
from synthmill.schemas.errors import InputError
from synthmill.sources.documents.elements import (
    BoundingBox,
    Cell,
    CodeBlock,
    DocumentTitle,
    Figure,
    Footnote,
    Formula,
    ListElement,
    ListItem,
    Page,
    Paragraph,
    Table,
)
from synthmill.sources.documents.parsers._stored import StoredTreeParser, TreeFunction
from synthmill.sources.documents.parsers.base import WorkerSettings
from synthmill.sources.documents.stored_tree import ParsedTree
from synthmill.sources.documents.structure import StructureBuilder
from synthmill.sources.reading.files import InputFile, Unreadable, clean

PLAIN = {"code": CodeBlock, "footnote": Footnote}
ITEM = "list_item"


class DoclingSettings(WorkerSettings):
    """Settings of the parser `docling`. The limits are ours: its models take seconds a page."""

    seconds: float = Field(default=1800.0, gt=0, description="time limit of one file")
    memory_mb: int = Field(default=8192, gt=0, description="memory limit of one file")


class DoclingParser(StoredTreeParser[DoclingSettings]):
    """One document per file, as Docling converts it. Its models come from the Hugging Face hub."""

    name = "docling"
    suffixes = (".pdf", ".docx", ".pptx")
    by_default = False
    Settings = DoclingSettings
    form: ClassVar[str] = "file for docling"

    def tree_function(self) -> TreeFunction:
        """Conversion with Docling's default models."""
        return converted

    def limits(self, file: InputFile) -> Limits:
        """As of any parser.

        Raises:
            InputError: Docling is not installed.
        """
        if find_spec("docling") is None:
            raise InputError(
                f"{file.name}: the parser docling needs the extra 'docling': "
                "pip install 'synthmill[docling]'"
            )
        return super().limits(file)


def converted(file: InputFile, settings: DoclingSettings) -> ParsedTree:
    """The tree of a file; runs in a worker.

    Raises:
        Unreadable: Docling cannot convert it.
    """
    from docling.datamodel.base_models import DocumentStream
    from docling.document_converter import DocumentConverter
    from docling.exceptions import ConversionError

    stream = DocumentStream(name=file.name.rsplit("/", 1)[-1], stream=io.BytesIO(file.read_bytes()))
    try:
        return tree_of(DocumentConverter().convert(stream).document)
    except ConversionError as error:
        raise Unreadable("docling failed", str(error)) from error


def tree_of(found: Any) -> ParsedTree:
    """A `DoclingDocument` as a tree: its body in reading order, without headers and footers."""
    writer = _DoclingWriter(found)
    for _, run in groupby(found.iterate_items(), key=lambda pair: _key(pair[0])):
        items = [item for item, _ in run]
        if str(getattr(items[0].label, "value", "")) == ITEM:
            writer.list(items)
        else:
            for item in items:
                writer.add(item)
    return writer.tree()


def _key(item: Any) -> object:
    """Items of one list on one page have the same key, other items one of their own."""
    if str(getattr(item.label, "value", "")) == ITEM:
        return item.prov[0].page_no if item.prov else None
    return item.self_ref


class _DoclingWriter:
    def __init__(self, found: Any) -> None:
        self._found = found
        self._parts: list[str] = []
        self._length = 0
        self._tree = StructureBuilder()
        self._page = 0
        self._starts: dict[int, int] = {}
        self._title = ""
        floats = (*found.tables, *found.pictures)
        self._captions = {reference.cref for item in floats for reference in item.captions}

    def tree(self) -> ParsedTree:
        """All that was added."""
        pages: list[Page] = []
        end = self._length
        for number in sorted(self._found.pages, reverse=True):
            size, start = self._found.pages[number].size, self._starts.get(number, end)
            pages.append(Page(number, size.width, size.height, start, end))
            if number in self._starts:
                end = max(0, start - 1)
        title = self._title or str(self._found.name or "")
        text = "".join(self._parts)
        return ParsedTree(clean(title), text, tuple(reversed(pages)), self._tree.elements())

    def add(self, item: Any) -> None:
        """Add an item that is no part of a list."""
        label = str(getattr(item.label, "value", ""))
        if item.self_ref in self._captions:
            return
        if label in ("table", "picture", "chart"):
            self._float(item, is_table=label == "table")
            return
        text = clean(str(getattr(item, "text", "") or "")).strip()
        if not text:
            return
        place = self._put(item, text)
        if label == "title" and not self._title:
            self._title = text
            self._tree.add(DocumentTitle(**place))
        elif label in ("title", "section_header"):
            level = int(getattr(item, "level", 1))
            self._tree.add_heading(place["start"], place["end"], level, place["page"], place["box"])
        elif label == "formula":
            self._tree.add(Formula(**place, latex=text))
        else:
            make: Callable[..., Any] = PLAIN.get(label, Paragraph)
            self._tree.add(make(**place))

    def list(self, items: list[Any]) -> None:
        """Add the items of a list."""
        texts = [clean(str(item.text)).strip() for item in items]
        lines = [f"• {text}" for text in texts]
        place = self._put(items[0], "\n".join(lines))
        spans, at = [], int(place["start"])
        for line in lines:
            spans.append(ListItem(at + 2, at + len(line)))
            at += len(line) + 1
        ordered = bool(getattr(items[0], "enumerated", False))
        self._tree.add(ListElement(**place, items=tuple(spans), ordered=ordered))

    def _float(self, item: Any, is_table: bool) -> None:
        caption = clean(item.caption_text(self._found)).strip()
        if not is_table:
            self._tree.add(Figure(**self._put(item, caption), caption=caption))
            return
        cells = tuple(
            Cell(
                " ".join(clean(cell.text).split()),
                cell.start_row_offset_idx,
                cell.start_col_offset_idx,
                cell.row_span,
                cell.col_span,
                bool(cell.column_header),
            )
            for cell in item.data.table_cells
        )
        rows: dict[int, list[str]] = {}
        for cell in cells:
            rows.setdefault(cell.row, []).append(cell.text)
        body = "\n".join("\t".join(row) for row in rows.values())
        text = "\n".join(filter(None, (caption, body.strip())))
        if text:
            self._tree.add(Table(**self._put(item, text), cells=cells, caption=caption))

    def _put(self, item: Any, text: str) -> dict[str, Any]:
        """Write a text; its span, page and box."""
        page: int | None = None
        box: BoundingBox | None = None
        if item.prov:
            page = int(item.prov[0].page_no)
            shown = item.prov[0].bbox.to_top_left_origin(self._found.pages[page].size.height)
            box = BoundingBox(*(round(v, 2) for v in (shown.l, shown.t, shown.r, shown.b)))
        if self._length and text:
            separator = "\f" if page is not None and page > self._page > 0 else "\n\n"
            self._parts.append(separator)
            self._length += len(separator)
        self._page = page or self._page
        start = self._length
        if page is not None:
            self._starts.setdefault(page, start)
        self._parts.append(text)
        self._length += len(text)
        return {"start": start, "end": self._length, "page": page, "box": box}
