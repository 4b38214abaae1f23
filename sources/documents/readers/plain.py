"""Plain text and Markdown."""

import re
from collections.abc import Iterator

from synthmill.sources.documents.readers.common import (
    File,
    ReadSettings,
    Text,
    decoded,
    first_line,
    read_bytes,
    stem,
)

_HEADING = re.compile(r"^#{1,2}[ \t]+(\S.*)$", re.MULTILINE)


def read_plain(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document: the whole file, titled by its first line.

    Raises:
        Unreadable: it cannot be read as text.
    """
    text = decoded(read_bytes(file, settings.max_bytes))
    yield Text(first_line(text, stem(file)), text)


def read_markdown(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document, as written; its first heading is the title.

    Raises:
        Unreadable: it cannot be read as text.
    """
    text = decoded(read_bytes(file, settings.max_bytes))
    heading = _HEADING.search(text)
    title = heading.group(1).rstrip().rstrip("#").rstrip() if heading else ""
    yield Text(title or first_line(text, stem(file)), text)
