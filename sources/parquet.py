"""Problems from a Parquet file, read a row group at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from synthmill.schemas.errors import InputError
from synthmill.sources._problems import ProblemSettings, ProblemSource, RawRow

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

ROWS_AT_ONCE = 256


class ParquetSettings(ProblemSettings):
    """Settings of the source `parquet`."""

    path: Path = Field(description="the file")


class ParquetSource(ProblemSource):
    """One problem per row; only the columns that are needed are read."""

    name: ClassVar[str] = "parquet"
    Settings = ParquetSettings
    settings: ParquetSettings

    def rows(self) -> Iterator[RawRow]:
        """The rows, in file order. A row group that cannot be decoded is one invalid row."""
        uri, number = self.settings.path.as_posix(), 0
        with _opened(self.settings.path) as file:
            columns = self._columns(file)
            for group in range(file.num_row_groups):
                end = number + file.metadata.row_group(group).num_rows
                try:
                    for batch in file.iter_batches(
                        ROWS_AT_ONCE, row_groups=[group], columns=columns, use_threads=False
                    ):
                        for record in batch.to_pylist():
                            number += 1
                            yield RawRow(uri, number, record)
                # The bases of pyarrow's errors, also for text that is not UTF-8.
                except (OSError, ValueError, NotImplementedError) as error:
                    reason = f"rows {number + 1} to {end} cannot be decoded: {_line(error)}"
                    yield RawRow(uri, number + 1, fault=reason)
                number = end

    def _columns(self, file: "ParquetFile") -> list[str]:
        fields = self.settings.fields
        wanted = {fields.problem, fields.answer, fields.id, *self.settings.where} - {None}
        roots = {str(name).split(".")[0] for name in wanted} | wanted
        names = file.schema_arrow.names
        return [name for name in names if name in roots] or names[:1]


def _opened(path: Path) -> "ParquetFile":
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"source file {path} cannot be read: {_line(error)}") from error


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
