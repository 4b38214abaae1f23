"""Plain text."""

from collections.abc import Iterator

from synthmill.schemas.base import Settings
from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.base import DocumentParser, document_of
from synthmill.sources.reading.files import InputFile


class PlainParser(DocumentParser[Settings]):
    """One document, the whole file as written: paragraphs between blank lines."""

    name = "plain"
    suffixes = (".txt", ".rst")

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The document, titled by its first line."""
        yield document_of(file, file.read_text(), None)
