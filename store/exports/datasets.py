"""Export for `datasets`: the canonical rows as they are, one Parquet file per split."""

from typing import TYPE_CHECKING, Any, get_args

from pydantic import Field, field_validator

from synthmill.schemas import base
from synthmill.schemas.arrow import ROW_SCHEMA, record_from_row
from synthmill.schemas.errors import nearest
from synthmill.schemas.row import Kind, Row
from synthmill.store.exports.base import ColumnarPart, Exporter

if TYPE_CHECKING:
    from datasets import Features

PART = "default"


class DatasetsExportSettings(base.Settings):
    """Settings of the `datasets` export."""

    columns: list[str] = Field(default=ROW_SCHEMA.names, description="columns to keep, in order")

    @field_validator("columns")
    @classmethod
    def _known(cls, columns: list[str]) -> list[str]:
        for name in columns:
            if name not in ROW_SCHEMA.names:
                hint = nearest(name, ROW_SCHEMA.names)
                raise ValueError(f"rows have no column {name!r}{hint}")
        return columns


class DatasetsExporter(Exporter[DatasetsExportSettings]):
    """Every kind of row, in the columns of the canonical row."""

    name = "datasets"
    kinds = frozenset(get_args(Kind))
    Settings = DatasetsExportSettings

    def part(self, row: Row) -> str:
        """All rows have one shape."""
        return PART

    def features(self, part: str) -> "Features":
        """The columns that the settings keep."""
        import pyarrow as pa
        from datasets import Features

        kept = [ROW_SCHEMA.field(name) for name in self.settings.columns]
        return Features.from_arrow_schema(pa.schema(kept))

    def columnar(self) -> list[ColumnarPart]:
        """All rows, as they are stored."""
        return [ColumnarPart(PART, "true", {name: f'"{name}"' for name in self.settings.columns})]

    def convert(self, row: Row) -> dict[str, Any]:
        """The row as it is stored."""
        record = record_from_row(row)
        return {name: record[name] for name in self.settings.columns}
