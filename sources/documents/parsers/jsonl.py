"""JSON Lines with a text field."""

import json
from collections.abc import Iterator

from pydantic import Field

from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers._records import RecordSettings, record_document
from synthmill.sources.documents.parsers.base import DocumentParser, invalid_item
from synthmill.sources.reading.files import READ_ERRORS, InputFile, Unreadable
from synthmill.sources.reading.lines import Line, bounded_lines


class JsonlParserSettings(RecordSettings):
    """Settings of the parser `jsonl`."""

    max_line_bytes: int = Field(default=4 << 20, gt=0, description="longest line that is read")


class JsonlParser(DocumentParser[JsonlParserSettings]):
    """One document per line; blank lines are skipped."""

    name = "jsonl"
    suffixes = (".jsonl",)
    Settings = JsonlParserSettings

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The documents in the order of the lines."""
        try:
            with file.open() as source:
                for line in bounded_lines(source, self.settings.max_line_bytes):
                    if line.fault is not None or line.text.strip():
                        yield self._document(file, line)
        except READ_ERRORS as error:
            raise Unreadable("unreadable file", str(error)) from error

    def _document(self, file: InputFile, line: Line) -> Document | InvalidItem:
        fault = line.fault
        if fault is None:
            try:
                record = json.loads(line.text)
                return record_document(file, line.number, record, self.settings)
            except (ValueError, RecursionError) as error:
                fault = f"broken JSON: {error}"
        return invalid_item(file, Unreadable("unreadable line", fault), line.number)
