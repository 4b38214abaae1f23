"""HTML: the text of its main part."""

import re
from collections.abc import Iterator

from generators.documents.readers.common import (
    File,
    ReadSettings,
    Text,
    clean,
    decoded,
    read_bytes,
    stem,
)
from schemas.errors import InputError

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)


def read_html(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document: paragraphs of the main part, without navigation.

    Raises:
        Unreadable: it cannot be read as text.
        InputError: the extra `documents` is not installed.
    """
    try:
        from resiliparse.extract.html2text import extract_plain_text
    except ImportError as error:
        raise InputError(
            f"{file.name}: HTML needs the extra 'documents': pip install 'synthmill[documents]'"
        ) from error
    import html

    source = decoded(read_bytes(file, settings.max_bytes))
    text = clean(extract_plain_text(source, main_content=True, preserve_formatting=True))
    found = _TITLE.search(source[:100_000])
    title = " ".join(html.unescape(found.group(1)).split()) if found else ""
    yield Text(title or stem(file), text)
