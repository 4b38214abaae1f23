"""PDF: the text of its pages, read in a process that can be killed."""

from collections.abc import Iterator
from importlib.util import find_spec

from synthmill.runtime.workers import Limits
from synthmill.schemas.errors import InputError
from synthmill.sources.documents.readers.common import (
    File,
    ReadSettings,
    Text,
    Unreadable,
    clean,
    read_bytes,
    read_in_worker,
    stem,
)


def read_pdf(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document: the pages' text, a form feed between pages.

    Raises:
        Unreadable: broken, locked, or it took more time or memory than it may.
        InputError: the extra `documents` is not installed.
    """
    if find_spec("pypdfium2") is None:
        raise InputError(
            f"{file.name}: PDF needs the extra 'documents': pip install 'synthmill[documents]'"
        )
    title, text = read_in_worker(
        "PDF",
        pdf_text,
        read_bytes(file, settings.max_bytes),
        settings.pdf_pages,
        settings.max_bytes,
        limits=Limits(seconds=settings.pdf_seconds, memory_mb=settings.pdf_memory_mb),
    )
    if not text.strip():
        raise Unreadable("PDF without text", "no page holds text; it may be a scan")
    yield Text(title or stem(file), text)


def pdf_text(data: bytes, most_pages: int, most_chars: int) -> tuple[str, str]:
    """Title and text of a PDF; runs in the process apart."""
    import pypdfium2

    opened = pypdfium2.PdfDocument(data)
    pages, length = [], 0
    for number in range(min(len(opened), most_pages)):
        page = opened[number]
        pages.append(page.get_textpage().get_text_bounded().replace("\r\n", "\n"))
        page.close()
        length += len(pages[-1])
        if length > most_chars:
            break
    title = opened.get_metadata_dict().get("Title", "")
    return clean(" ".join(title.split())), clean("\f".join(pages))
