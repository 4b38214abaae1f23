"""PDF: the tree of its pages by geometry and type alone, on a CPU; scans by OCR where wanted."""

from typing import Any, ClassVar

from pydantic import Field

from synthmill.runtime.workers import Limits
from synthmill.schemas.errors import InputError
from synthmill.sources.documents.ocr.base import ocr_engine_class
from synthmill.sources.documents.parsers._stored import StoredTreeParser, TreeFunction
from synthmill.sources.documents.parsers.base import WorkerSettings, require, run_in_worker
from synthmill.sources.documents.pdf.page_content import PageContent
from synthmill.sources.documents.pdf.page_layout import page_blocks
from synthmill.sources.documents.pdf.page_reader import read_page
from synthmill.sources.documents.pdf.scan import is_scan, read_scan
from synthmill.sources.documents.pdf.tree import PdfPage, PdfTreeWriter
from synthmill.sources.documents.stored_tree import ParsedTree
from synthmill.sources.reading.files import InputFile, Unreadable, clean

REOPEN_PAGES = 100  # ours: pages after which PDFium's memory is freed
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
    return len(_opened(file.read_bytes()))


def pdf_tree(file: InputFile, settings: PdfParserSettings) -> ParsedTree:
    """The tree of a PDF; runs in a worker.

    Raises:
        Unreadable: it cannot be opened, or holds too much text.
    """
    data = file.read_bytes()
    opened = _opened(data)
    pages: list[PdfPage] = []
    characters = 0
    for number in range(min(len(opened), settings.max_pages)):
        if number and number % REOPEN_PAGES == 0:  # it keeps the fonts and images of all pages
            opened.close()
            opened = _opened(data)
        page = opened[number]
        content = read_page(page)
        if settings.ocr is not None and is_scan(content):
            read_scan(page, content, settings.ocr)
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


def _opened(data: bytes) -> Any:
    import pypdfium2

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if "assword" in str(error):
            raise Unreadable("encrypted PDF", "it opens with a password only") from error
        raise Unreadable("unreadable PDF", str(error)) from error
