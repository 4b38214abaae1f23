"""Parquet with a text column, read in a worker: a small file may decode to any size."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from synthmill.runtime.workers import WorkerError
from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers._records import (
    TEXT_FIELDS,
    RecordSettings,
    record_document,
)
from synthmill.sources.documents.parsers.base import DocumentParser
from synthmill.sources.reading.files import InputFile, Unreadable, open_regular
from synthmill.sources.reading.worker_rows import rows_in_worker

ROWS_AT_ONCE = 64


class ParquetParserSettings(RecordSettings):
    """Settings of the parser `parquet`."""

    memory_mb: int = Field(default=2048, gt=0, description="memory that reading may take")


class ParquetParser(DocumentParser[ParquetParserSettings]):
    """One document per row; columns that hold neither text, title nor license are not read."""

    name = "parquet"
    suffixes = (".parquet",)
    Settings = ParquetParserSettings

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The documents in the order of the rows."""
        number, memory = 0, self.settings.memory_mb
        try:
            for record in rows_in_worker(_records, file.path, self.settings, memory_mb=memory):
                number += 1
                yield record_document(file, number, record, self.settings)
        except (OSError, ValueError, NotImplementedError, WorkerError) as error:
            detail = f"after row {number}: {error}".split("\n")[0]
            raise Unreadable("unreadable file", detail) from error


def _records(path: Path, settings: RecordSettings) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(open_regular(path)) as parquet:
            columns = _columns(settings, parquet.schema_arrow.names)
            for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
                yield from batch.to_pylist()
    except MemoryError:
        raise
    except pa.ArrowException as error:
        raise OSError(str(error)) from error


def _columns(settings: RecordSettings, names: Sequence[str]) -> list[str] | None:
    """The columns to read; None for all if none holds text, so that the error lists them."""
    texts = {settings.text_field} if settings.text_field else set(TEXT_FIELDS)
    wanted = texts | {settings.title_field, settings.license_field}
    return [name for name in names if name in wanted] if texts & set(names) else None
