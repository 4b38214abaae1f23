"""A passage: a part of a document's text that is retrieved and quoted as a whole."""

from synthmill.schemas.base import Record
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.documents.document import Document

ID_LENGTH = 20  # hex digits: 80 bits, odds of a clash below 1e-12 at 1e6 passages


class Passage(Record):
    """Characters `start` to `end` of a document's text."""

    id: str
    document: str
    uri: str
    sha256: str
    title: str
    license: str | None = None
    start: int
    end: int
    text: str

    @property
    def origin(self) -> SourceRef:
        """The passage as lineage."""
        return self.origin_of(0, len(self.text))

    def origin_of(self, start: int, end: int) -> SourceRef:
        """Characters `start` to `end` of the passage as lineage, in offsets of the document."""
        return SourceRef(
            uri=self.uri,
            sha256=self.sha256,
            title=self.title,
            license=self.license,
            start=self.start + start,
            end=self.start + end,
        )


def passage_of(document: Document, sha256: str, start: int, end: int) -> Passage:
    """The passage between two offsets; its id is a hash of document, place and content."""
    name = sha256_text(f"{document.key}\n{sha256}\n{start}\n{end}")[:ID_LENGTH]
    return Passage(
        id=name,
        document=document.key,
        uri=document.uri,
        sha256=sha256,
        title=document.title,
        license=document.license,
        start=start,
        end=end,
        text=document.text[start:end],
    )
