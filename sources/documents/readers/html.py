"""HTML: the text of its main part, found in a process that can be killed.

The parser of a page whose tags nest by the ten thousand takes minutes, and nothing stops it.
"""

import re
from collections.abc import Iterator
from importlib.util import find_spec

from synthmill.runtime.workers import Limits
from synthmill.schemas.errors import InputError
from synthmill.sources.documents.readers.common import (
    File,
    ReadSettings,
    Text,
    clean,
    decoded,
    read_bytes,
    read_in_worker,
    stem,
)

SECONDS = 30.0  # ours: a page of ten megabytes takes less than one
TITLE_WITHIN = 100_000  # ours: characters in which a page must have told its title

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def read_html(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document: paragraphs of the main part, without navigation.

    Raises:
        Unreadable: it cannot be read as text, or took more time or memory than it may.
        InputError: the extra `documents` is not installed.
    """
    if find_spec("resiliparse") is None:
        raise InputError(
            f"{file.name}: HTML needs the extra 'documents': pip install 'synthmill[documents]'"
        )
    title, text = read_in_worker(
        "HTML",
        html_text,
        decoded(read_bytes(file, settings.max_bytes)),
        limits=Limits(seconds=SECONDS, memory_mb=settings.pdf_memory_mb),
    )
    yield Text(title or stem(file), text)


def html_text(source: str) -> tuple[str, str]:
    """Title and main text of a page; runs in the process apart."""
    import html

    from resiliparse.extract.html2text import extract_plain_text

    text = clean(extract_plain_text(source, main_content=True, preserve_formatting=True))
    found = _TITLE.search(source[:TITLE_WITHIN])
    title = " ".join(html.unescape(found.group(1)).split()) if found else ""
    return title, text
