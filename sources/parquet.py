"""Problems from a Parquet file, read in a worker: a small file may decode to any size."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from synthmill.runtime.workers import WorkerError
from synthmill.schemas.errors import InputError
from synthmill.sources._problems import ProblemSettings, ProblemSource, RawRow
from synthmill.sources.reading.files import open_regular
from synthmill.sources.reading.worker_rows import cut, rows_in_worker

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

ROWS_AT_ONCE = 64


class ParquetSettings(ProblemSettings):
    """Settings of the source `parquet`."""

    path: Path = Field(description="the file")
    memory_mb: int = Field(default=2048, gt=0, description="memory that reading may take")


class ParquetSource(ProblemSource):
    """One problem per row; only the columns that are needed are read."""

    name: ClassVar[str] = "parquet"
    Settings = ParquetSettings
    settings: ParquetSettings

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Files with the suffix .parquet."""
        return path.suffix.lower() == ".parquet" and not path.is_dir()

    def rows(self) -> Iterator[RawRow]:
        """The rows, in file order. A row group that cannot be decoded is one invalid row.

        A file that exceeds the limits of the worker ends there, with one invalid row that says so.
        """
        return self._read(_needed_columns)

    def whole_rows(self) -> Iterator[RawRow]:
        """The rows with all their columns."""
        return self._read(_all_columns)

    def _read(self, columns: "ColumnsOf") -> Iterator[RawRow]:
        settings, number = self.settings, 0
        try:
            for row in rows_in_worker(_rows, settings, columns, memory_mb=settings.memory_mb):
                yield row
                number = row.number
        except WorkerError as error:
            fault = f"the rest cannot be read: {error}"
            yield RawRow(settings.path.as_posix(), number + 1, fault=fault)


ColumnsOf = Callable[[ParquetSettings, list[str]], list[str]]


def _rows(settings: ParquetSettings, columns_of: ColumnsOf) -> Iterator[RawRow]:
    uri, number = settings.path.as_posix(), 0
    with _opened(settings.path) as file:
        columns = columns_of(settings, file.schema_arrow.names)
        for group in range(file.num_row_groups):
            end = number + file.metadata.row_group(group).num_rows
            try:
                for batch in file.iter_batches(
                    ROWS_AT_ONCE, row_groups=[group], columns=columns, use_threads=False
                ):
                    for record in batch.to_pylist():
                        number += 1
                        yield RawRow(uri, number, cut(record, settings.max_chars))
            # The bases of pyarrow's errors, also for text that is not UTF-8, and days that Python
            # has no dates for.
            except (OSError, ValueError, NotImplementedError, OverflowError) as error:
                reason = f"rows {number + 1} to {end} cannot be decoded: {_line(error)}"
                yield RawRow(uri, number + 1, fault=reason)
            number = end


def _all_columns(settings: ParquetSettings, names: list[str]) -> list[str]:
    return names


def _needed_columns(settings: ParquetSettings, names: list[str]) -> list[str]:
    fields = settings.fields
    wanted = {fields.problem, fields.answer, fields.id, *settings.where} - {None}
    roots = {str(name).split(".")[0] for name in wanted} | wanted
    return [name for name in names if name in roots] or names[:1]


def _opened(path: Path) -> "ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(open_regular(path))
    except MemoryError:
        raise
    # The schema and the metadata of a damaged file raise errors of many types.
    except (OSError, ValueError, KeyError, NotImplementedError, pa.ArrowException) as error:
        raise InputError(f"source file {path} cannot be read: {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
