"""PDF: the text of its pages, read in a process that can be killed."""

import multiprocessing
import resource
from collections.abc import Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache
from importlib.util import find_spec

from pebble import ProcessExpired, ProcessPool

from generators.documents.readers.common import (
    File,
    ReadSettings,
    Text,
    Unreadable,
    clean,
    read_bytes,
    stem,
)
from schemas.errors import InputError


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
    data = read_bytes(file, settings.max_bytes)
    future = _process(settings.pdf_memory_mb).schedule(
        pdf_text, (data, settings.pdf_pages, settings.max_bytes), timeout=settings.pdf_seconds
    )
    try:
        title, text = future.result()
    except FutureTimeout:
        detail = f"more than {settings.pdf_seconds:g} s"
        raise Unreadable("PDF took too long", detail) from None
    except (ProcessExpired, MemoryError):
        raise Unreadable("PDF broke its reader", "the process died or ran out of memory") from None
    except Exception as error:
        raise Unreadable("unreadable PDF", f"{type(error).__name__}: {error}") from error
    if not text.strip():
        raise Unreadable("PDF without text", "no page holds text; it may be a scan")
    yield Text(title or stem(file), text)


@cache
def _process(memory_mb: int) -> ProcessPool:
    """One worker, kept for the next file; spawned, since a fork of a threaded process may hang."""
    return ProcessPool(
        max_workers=1,
        initializer=_bound,
        initargs=(memory_mb,),
        context=multiprocessing.get_context("spawn"),
    )


def _bound(memory_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def pdf_text(data: bytes, most_pages: int, most_chars: int) -> tuple[str, str]:
    """Title and text of a PDF; runs in the worker."""
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
