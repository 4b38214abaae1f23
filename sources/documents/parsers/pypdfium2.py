"""PDF: the tree of its pages by geometry and type alone, on a CPU; scans by OCR where wanted."""

import math
from typing import Any, ClassVar

from pydantic import Field

from synthmill.runtime.workers import Limits
from synthmill.schemas.errors import InputError
from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.documents.ocr.base import ocr_engine_class
from synthmill.sources.documents.parsers._stored import StoredTreeParser, TreeFunction
from synthmill.sources.documents.parsers.base import WorkerSettings, require, run_in_worker
from synthmill.sources.documents.pdf.page_content import PageContent, Word, read_page
from synthmill.sources.documents.pdf.page_layout import page_blocks
from synthmill.sources.documents.pdf.tree import PdfPage, PdfTreeWriter
from synthmill.sources.documents.stored_tree import ParsedTree
from synthmill.sources.reading.files import InputFile, Unreadable, clean

SCAN_IMAGE = 0.5  # ours: of the page; a page without text under so large an image is a scan
OCR_DPI = 200.0  # ours: the engines' best on 10-point type
LINE_HEIGHT = 0.75  # ours: the size of type over the height of an OCR engine's boxes
OCR_MEMORY_MB = 3072  # ours: rapidocr takes 1 GB


class PdfParserSettings(WorkerSettings):
    """Settings of the parser `pypdfium2`. All limits are ours."""

    max_pages: int = Field(default=5000, gt=0, description="pages read of one file")
    page_seconds: float = Field(
        default=0.5, gt=0, description="time limit of each page, besides `seconds` for the file"
    )
    ocr: str | None = Field(
        default=None, description="engine that reads pages without text: rapidocr, tesseract, ocrad"
    )
    ocr_page_seconds: float = Field(default=60.0, gt=0, description="time limit of a scanned page")


class Pypdfium2Parser(StoredTreeParser[PdfParserSettings]):
    """One document per file: text in reading order, tables, figures, footnotes, with boxes.

    Running headers, footers and page numbers are left out. Pages without text are read by the OCR
    engine of the setting `ocr`; without one they are empty.
    """

    name = "pypdfium2"
    suffixes = (".pdf",)
    version = 2
    Settings = PdfParserSettings
    form: ClassVar[str] = "PDF"
    empty: ClassVar[tuple[str, str]] = (
        "PDF without text",
        "no page holds text; it may be a scan: the setting `ocr` of its parser names an engine",
    )

    def tree_function(self) -> TreeFunction:
        """The whole of this module."""
        return pdf_tree

    def limits(self, file: InputFile) -> Limits:
        """A time for the file and for each of its pages.

        Raises:
            Unreadable: the file cannot be opened.
            InputError: a library is missing, or the OCR engine is unknown or lacks something.
        """
        settings = self.settings
        require("pypdfium2", file, "PDF")
        if settings.ocr is not None:
            engine = ocr_engine_class(settings.ocr)
            if missing := engine.missing():
                raise InputError(f"parsers: .pdf: ocr: {settings.ocr} is not there: {missing}")
        pages = run_in_worker("PDF", page_count, file, settings=settings)
        page_seconds = settings.ocr_page_seconds if settings.ocr else settings.page_seconds
        seconds = settings.seconds + page_seconds * min(pages, settings.max_pages)
        memory = max(settings.memory_mb, OCR_MEMORY_MB) if settings.ocr else settings.memory_mb
        return Limits(seconds=seconds, memory_mb=memory)


def page_count(file: InputFile) -> int:
    """The number of pages of a PDF; runs in a worker.

    Raises:
        Unreadable: it needs a password or is broken.
    """
    return len(_opened(file))


def pdf_tree(file: InputFile, settings: PdfParserSettings) -> ParsedTree:
    """The tree of a PDF; runs in a worker.

    Raises:
        Unreadable: it cannot be opened, or holds too much text.
    """
    opened = _opened(file)
    pages: list[PdfPage] = []
    characters = 0
    for number in range(min(len(opened), settings.max_pages)):
        page = opened[number]
        content = read_page(page)
        if settings.ocr is not None and not content.words and _is_scan(content):
            _read_scan(page, content, settings.ocr)
        blocks = page_blocks(content)
        characters += sum(len(line.text) for block in blocks for line in block.lines)
        if characters > file.max_bytes:
            raise Unreadable("PDF too large", f"more than {file.max_bytes:,} characters of text")
        # Words are not kept: lines are all that is needed of a page from here on.
        kept = PageContent(content.width, content.height, turn=content.turn)
        pages.append(PdfPage(kept, blocks))
        page.close()
    text, shown, elements = PdfTreeWriter(pages, opened).write()
    title = opened.get_metadata_dict().get("Title", "")
    return ParsedTree(clean(" ".join(title.split())), clean(text), shown, elements)


def _opened(file: InputFile) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(file.read_bytes())
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise Unreadable("encrypted PDF", "it opens with a password only") from error
        raise Unreadable("unreadable PDF", str(error)) from error


def _is_scan(content: PageContent) -> bool:
    page = content.width * content.height
    return any((b.x1 - b.x0) * (b.y1 - b.y0) >= SCAN_IMAGE * page for b in content.images)


def _read_scan(page: Any, content: PageContent, engine: str) -> None:
    """Put the words that an OCR engine reads on a page into its content."""
    import io

    from synthmill.sources.documents.ocr.base import MAX_OCR_PIXELS, read_text
    from synthmill.sources.documents.pictures import render

    image = render(page, None, OCR_DPI, MAX_OCR_PIXELS)
    scale = content.width / image.width
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    for piece in read_text(engine, file.getvalue()):
        content.words += _words_of(piece.text, BoundingBox(*(v * scale for v in piece[1:5])))
    content.images = []


def _words_of(text: str, box: BoundingBox) -> list[Word]:
    """The words of a line that an engine read, placed by their share of its characters."""
    words = []
    width = (box.x1 - box.x0) / max(1, len(text))
    size = round(LINE_HEIGHT * (box.y1 - box.y0), 1)
    place = 0
    for part in text.split():
        place = text.index(part, place)
        x0 = box.x0 + place * width
        place += len(part)
        baseline = box.y1 - 0.22 * (box.y1 - box.y0)
        words.append(Word(part, x0, box.y0, box.x0 + place * width, box.y1, baseline, size))
    return [word for word in words if all(map(math.isfinite, word[1:7]))]
