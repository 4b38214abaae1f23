"""Reading one file into documents, one reader a form."""

from collections.abc import Callable, Iterator
from pathlib import Path

from synthmill.sources.documents.readers.common import File, ReadSettings, Text
from synthmill.sources.documents.readers.html import read_html
from synthmill.sources.documents.readers.pdf import read_pdf
from synthmill.sources.documents.readers.plain import read_markdown, read_plain
from synthmill.sources.documents.readers.records import read_jsonl, read_parquet

Reader = Callable[[File, ReadSettings], Iterator[Text]]

READERS: dict[str, Reader] = {
    ".txt": read_plain,
    ".rst": read_plain,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".jsonl": read_jsonl,
    ".parquet": read_parquet,
    ".pdf": read_pdf,
}
PACKED = ".gz"  # text of Debian's documentation


def reader_of(path: Path) -> Reader | None:
    """The reader for a file by its name, or None where there is none."""
    name = path.name.lower().removesuffix(PACKED)
    return READERS.get(Path(name).suffix)


__all__ = ["READERS", "File", "ReadSettings", "Text", "reader_of"]
