"""The files of an export: records are buffered and written batch by batch."""

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from synthmill.runtime.files import atomic_directory
from synthmill.schemas.errors import InputError
from synthmill.store.errors import translate_errors
from synthmill.store.sql import literal, quoted

if TYPE_CHECKING:
    from datasets import Features

BATCH_RECORDS = 1000
SUMMARY = "export.json"  # a folder that contains it is an export and may be replaced


class RecordFile(ABC):
    """A file that takes records one by one; `features` is None where records have any keys."""

    features: Any

    def __init__(self, path: Path, features: "Features | None") -> None:
        self.path, self.features = path, features
        self.records = 0
        self._buffer: list[dict[str, Any]] = []

    def add(self, record: dict[str, Any]) -> None:
        """Take one record."""
        self._buffer.append(record)
        self.records += 1
        if len(self._buffer) >= BATCH_RECORDS:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered."""
        if self._buffer:
            self._write(self._buffer)
        self._buffer = []

    def close(self) -> None:
        """Write the rest and finish the file."""
        self.flush()

    @classmethod
    @abstractmethod
    def columnar(cls, columns: Mapping[str, str], features: "Features") -> tuple[str, pa.Schema]:
        """What SQL selects for `add_batch`: the select list of these columns, and its schema."""

    def add_batch(self, batch: pa.RecordBatch) -> None:
        """Take records that SQL made."""
        self.flush()
        self.records += len(batch)
        self._write_batch(batch)

    @abstractmethod
    def _write_batch(self, batch: pa.RecordBatch) -> None: ...

    @abstractmethod
    def _write(self, records: list[dict[str, Any]]) -> None: ...


class ParquetRecords(RecordFile):
    """Parquet that carries its `datasets` features, so that it loads with the same types."""

    def __init__(self, path: Path, features: "Features") -> None:
        super().__init__(path, features)
        self._writer = pq.ParquetWriter(path, features.arrow_schema, compression="zstd")

    def _write(self, records: list[dict[str, Any]]) -> None:
        from datasets import Dataset

        whole = [{name: record.get(name) for name in self.features} for record in records]
        table = Dataset.from_list(whole, features=self.features).data.table
        self._writer.write_table(table.cast(self.features.arrow_schema))

    @classmethod
    def columnar(cls, columns: Mapping[str, str], features: "Features") -> tuple[str, pa.Schema]:
        """The columns as they are."""
        return _select_list(columns), features.arrow_schema

    def _write_batch(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch.cast(self.features.arrow_schema))

    def close(self) -> None:
        """Write the rest and the footer."""
        super().close()
        self._writer.close()


class JsonRecords(RecordFile):
    """One JSON object a line, with the keys of the features; what a record lacks is left out."""

    @classmethod
    def columnar(cls, columns: Mapping[str, str], features: "Features") -> tuple[str, pa.Schema]:
        """One column with the JSON text of the record."""
        pairs = ", ".join(f"{literal(name)}: {value}" for name, value in columns.items())
        return f"to_json({{{pairs}}})::VARCHAR AS line", pa.schema([("line", pa.string())])

    def _write_batch(self, batch: pa.RecordBatch) -> None:
        lines = batch.column("line").to_pylist()
        with self.path.open("a", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")

    def _write(self, records: list[dict[str, Any]]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            for record in records:
                keys = record if self.features is None else self.features
                said = {key: record[key] for key in keys if key in record}
                try:
                    file.write(json.dumps(said, ensure_ascii=False) + "\n")
                except (TypeError, ValueError) as error:
                    raise InputError(f"a record cannot be written as JSON: {error}") from error


def _select_list(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{value} AS {quoted(name)}" for name, value in columns.items())


RECORD_FILES: dict[str, type[RecordFile]] = {"parquet": ParquetRecords, "jsonl": JsonRecords}


@contextmanager
def new_folder(out: Path, force: bool) -> Iterator[Path]:
    """A folder to write into, which becomes `out` on success and is removed otherwise.

    Raises:
        InputError: `out` exists (with `force`: and is no earlier export), full disk, no permission.
    """
    out = out.absolute()
    if out.exists() and not force:
        raise InputError(f"{out} exists; give another place, or --force to replace an export")
    if out.exists() and not (out / SUMMARY).is_file():
        raise InputError(f"{out} is not an earlier export, so it is not replaced; move it away")
    with translate_errors(f"export to {out}"), atomic_directory(out, replace=force) as fresh:
        yield fresh
