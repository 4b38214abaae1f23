"""Parquet with a text column."""

from collections.abc import Iterator, Sequence

from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers._records import (
    TEXT_FIELDS,
    RecordSettings,
    record_document,
)
from synthmill.sources.documents.parsers.base import DocumentParser
from synthmill.sources.reading.files import InputFile, Unreadable

ROWS_AT_ONCE = 256


class ParquetParser(DocumentParser[RecordSettings]):
    """One document per row; columns that hold neither text, title nor license are not read."""

    name = "parquet"
    suffixes = (".parquet",)
    Settings = RecordSettings

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The documents in the order of the rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        number = 0
        try:
            with pq.ParquetFile(file.path) as parquet:
                columns = self._columns(parquet.schema_arrow.names)
                for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
                    for record in batch.to_pylist():
                        number += 1
                        yield record_document(file, number, record, self.settings)
        except (OSError, ValueError, NotImplementedError, pa.ArrowException) as error:
            detail = f"after row {number}: {error}".split("\n")[0]
            raise Unreadable("unreadable file", detail) from error

    def _columns(self, names: Sequence[str]) -> list[str] | None:
        """The columns to read; None for all if none holds text, so that the error lists them."""
        settings = self.settings
        texts = {settings.text_field} if settings.text_field else set(TEXT_FIELDS)
        wanted = texts | {settings.title_field, settings.license_field}
        return [name for name in names if name in wanted] if texts & set(names) else None
