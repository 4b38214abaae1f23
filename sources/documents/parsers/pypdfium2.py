"""PDF by its text layer: pages, paragraphs with boxes, headings by outline or size of type."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document, OriginalFile
from synthmill.sources.documents.elements import BoundingBox, Element, Page, Paragraph
from synthmill.sources.documents.parsers.base import (
    DocumentParser,
    ParsedLater,
    WorkerSettings,
    document_of,
    require,
    run_in_worker,
)
from synthmill.sources.documents.structure import StructureBuilder
from synthmill.sources.reading.files import InputFile, Unreadable, clean

# Lines in type larger than the running text's by this factor are headings; a size larger than the
# next smaller one by it is a heading level of its own. The factor of DocDancer's preprocessing.
# It compares title heights alone; using it against the running text is ours.
SIZE_RATIO = 1.15
MAX_HEADING = 200  # ours: characters; longer text is a paragraph in large type
PARAGRAPH_GAP = 0.6  # ours: a larger gap between lines, in type sizes, begins a paragraph
MAX_LEVEL = 10


class PdfParserSettings(WorkerSettings):
    """Settings of the parser `pypdfium2`."""

    max_pages: int = Field(default=5000, gt=0, description="pages read of one file")


class Pypdfium2Parser(DocumentParser[PdfParserSettings]):
    """One document: the text of its pages, a form feed between them, titled by its metadata.

    Headings are those of the file's outline, else lines in larger type. Tables and figures are
    not recognized, and a page without a text layer is empty.
    """

    name = "pypdfium2"
    suffixes = (".pdf",)
    Settings = PdfParserSettings

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The document."""
        require("pypdfium2", file, "PDF")
        bounds = self.settings.max_pages, file.max_bytes
        data = file.read_bytes()
        title, text, pages = run_in_worker("PDF", pdf_text, data, *bounds, settings=self.settings)
        if not text.strip():
            raise Unreadable("PDF without text", "no page holds text; it may be a scan")
        structure = ParsedLater(
            "PDF", pdf_structure, file, InputFile.read_bytes, self.settings, bounds
        )
        original = OriginalFile(file, hashlib.sha256(data).hexdigest())
        title = title or file.stem
        yield document_of(file, text, title, pages=pages, structure=structure, original=original)


@dataclass(slots=True)
class _Line:
    """A line of text: its span, the size of its type in points, and its box."""

    page: int
    start: int
    end: int
    size: float
    box: BoundingBox | None


def pdf_text(data: bytes, max_pages: int, max_chars: int) -> tuple[str, str, tuple[Page, ...]]:
    """Title, text and pages of a PDF; runs in a worker."""
    import pypdfium2

    opened = pypdfium2.PdfDocument(data)
    pages: list[Page] = []
    texts: list[str] = []
    for page, _, text, place in _read(opened, max_pages, max_chars):
        texts.append(text)
        width, height = page.get_size()
        pages.append(Page(len(texts), width, height, place, place + len(text)))
    title = opened.get_metadata_dict().get("Title", "")
    return clean(" ".join(title.split())), clean("\f".join(texts)), tuple(pages)


def pdf_structure(data: bytes, max_pages: int, max_chars: int) -> tuple[str, tuple[Element, ...]]:
    """Text and elements of a PDF; runs in a worker."""
    import pypdfium2

    opened = pypdfium2.PdfDocument(data)
    texts: list[str] = []
    lines: list[_Line] = []
    for page, textpage, text, place in _read(opened, max_pages, max_chars):
        texts.append(text)
        lines += _lines(page, textpage, text, len(texts), place)
    text = clean("\f".join(texts))
    levels = _outline_levels(opened, text, lines) or _size_levels(text, lines)
    return text, _elements(text, lines, levels)


def _read(opened: Any, max_pages: int, max_chars: int) -> Iterator[tuple[Any, Any, str, int]]:
    """Each page with its text layer, its text, and the offset of its text in the whole."""
    place = 0
    for number in range(min(len(opened), max_pages)):
        page = opened[number]
        textpage = page.get_textpage()
        text = textpage.get_text_bounded().replace("\r\n", "\n")
        yield page, textpage, text, place
        page.close()
        place += len(text) + 1
        if place > max_chars:
            break


def _lines(page: Any, textpage: Any, text: str, number: int, offset: int) -> Iterator[_Line]:
    """The lines of a page that hold text."""
    import pypdfium2.raw as pdfium

    # Lines are located in the text whose offsets the other calls use: it may include characters
    # beyond the page's edges, and encodes a hyphen at the end of a line differently.
    counted = textpage.get_text_range().replace("\ufffe", "\x02")
    place = start = 0
    crop, turn = page.get_cropbox(), page.get_rotation()
    for line in text.split("\n"):
        if line.strip():
            found = counted.find(line, place)
            size, box = 0.0, None
            if found >= 0:
                place = found + len(line)
                size = pdfium.FPDFText_GetFontSize(textpage, found)
                box = _box(textpage, found, len(line), crop, turn)
            left = offset + start + len(line) - len(line.lstrip())
            yield _Line(number, left, offset + start + len(line.rstrip()), size, box)
        start += len(line) + 1


def _box(textpage: Any, start: int, count: int, crop: Any, turn: int) -> BoundingBox | None:
    """The box around characters of a page, as the page is shown."""
    rects = [textpage.get_rect(at) for at in range(textpage.count_rects(start, count))]
    if not rects:
        return None
    left, bottom, right, top = crop
    x0, x1 = min(r[0] for r in rects) - left, max(r[2] for r in rects) - left
    y0, y1 = top - max(r[3] for r in rects), top - min(r[1] for r in rects)
    width, height = right - left, top - bottom
    if turn == 90:
        x0, y0, x1, y1 = height - y1, x0, height - y0, x1
    elif turn == 180:
        x0, y0, x1, y1 = width - x1, height - y1, width - x0, height - y0
    elif turn == 270:
        x0, y0, x1, y1 = y0, width - x1, y1, width - x0
    return BoundingBox(*(round(value, 2) for value in (x0, y0, x1, y1)))


def _outline_levels(opened: Any, text: str, lines: list[_Line]) -> dict[int, int]:
    """Heading levels by line index, for lines that the file's outline names on their page."""
    by_page: dict[int, list[int]] = {}
    for at, line in enumerate(lines):
        by_page.setdefault(line.page, []).append(at)
    levels: dict[int, int] = {}
    for entry in opened.get_toc(max_depth=MAX_LEVEL):
        destination = entry.get_dest()
        title = "".join(clean(entry.get_title()).split())
        number = destination.get_index() if destination is not None else None
        if not title or number is None:
            continue
        for at in by_page.get(number + 1, ()):
            shown = "".join(text[lines[at].start : lines[at].end].split())
            # The outline often omits the number before the title.
            if at not in levels and shown.endswith(title) and len(shown) < len(title) + 12:
                levels[at] = entry.level + 1
                break
    return levels


def _size_levels(text: str, lines: list[_Line]) -> dict[int, int]:
    """Heading levels by line index, for lines in larger type than most of the text."""
    counts: Counter[float] = Counter()
    for line in lines:
        counts[round(line.size, 1)] += line.end - line.start
    if not counts:
        return {}
    body = counts.most_common(1)[0][0]
    level_of: dict[float, int] = {}
    level, last = 0, 0.0
    for size in sorted((size for size in counts if size > body * SIZE_RATIO), reverse=True):
        if not last or last / size > SIZE_RATIO:
            level = min(level + 1, MAX_LEVEL)
        level_of[size], last = level, size
    sized = ((at, level_of.get(round(line.size, 1))) for at, line in enumerate(lines))
    return {
        at: level
        for at, level in sized
        if level and any(map(str.isalpha, text[lines[at].start : lines[at].end]))
    }


def _elements(text: str, lines: list[_Line], levels: dict[int, int]) -> tuple[Element, ...]:
    """Headings and paragraphs made of adjacent lines."""
    tree, at = StructureBuilder(), 0
    while at < len(lines):
        end, level = at + 1, levels.get(at)
        while (
            end < len(lines) and levels.get(end) == level and _goes_on(lines[end - 1], lines[end])
        ):
            end += 1
        first, last = lines[at], lines[end - 1]
        box = _union([line.box for line in lines[at:end] if line.box is not None])
        if level and last.end - first.start <= MAX_HEADING:
            tree.add_heading(first.start, last.end, level, first.page, box)
        else:
            tree.add(Paragraph(start=first.start, end=last.end, page=first.page, box=box))
        at = end
    return tree.elements()


def _union(boxes: list[BoundingBox]) -> BoundingBox | None:
    """The smallest box around all."""
    if not boxes:
        return None
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return BoundingBox(min(x0), min(y0), max(x1), max(y1))


def _goes_on(line: _Line, following: _Line) -> bool:
    """Whether a line continues the block of the previous line."""
    if line.page != following.page:
        return False
    if line.box is None or following.box is None:
        return line.box is following.box
    size = max(line.size, following.size, 1.0)
    gap = following.box.y0 - line.box.y1
    same_type = abs(line.size - following.size) <= 0.1 * size
    return same_type and -size < gap < PARAGRAPH_GAP * size
