"""The Arrow schema of a row, derived from the pydantic model.

Only types that `datasets`, DuckDB and the trainers all read: no map, no free structs.
"""

import types
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from synthmill.schemas.row import Row

SCALARS: dict[type, pa.DataType] = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    # A naive time stamp would raise the Delta protocol version; ours are UTC.
    datetime: pa.timestamp("us", tz="UTC"),
}


def arrow_type(annotation: Any) -> pa.DataType:
    """The Arrow type of a field's annotation.

    Raises:
        TypeError: the annotation has no counterpart that every reader understands.
    """
    origin = get_origin(annotation)
    if origin is Literal:
        return pa.string()
    if origin in (Union, types.UnionType):
        inner = [part for part in get_args(annotation) if part is not type(None)]
        if len(inner) == 1:
            return arrow_type(inner[0])
    if origin is list:
        return pa.list_(arrow_type(get_args(annotation)[0]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(arrow_fields(annotation))
    if annotation in SCALARS:
        return SCALARS[annotation]
    raise TypeError(f"{annotation!r} has no Arrow type that every reader understands")


def arrow_fields(model: type[BaseModel]) -> list[pa.Field]:
    """One nullable Arrow field for each field of the model, in order."""
    return [pa.field(name, arrow_type(f.annotation)) for name, f in model.model_fields.items()]


# What a reader looks at first stands first.
LEADING = ("id", "kind", "status", "split", "generator", "task_key")
_FIELDS = {field.name: field for field in arrow_fields(Row)}
ROW_SCHEMA: pa.Schema = pa.schema(
    [_FIELDS[name] for name in LEADING]
    + [field for name, field in _FIELDS.items() if name not in LEADING]
)


def rows_to_table(rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table of `ROW_SCHEMA`."""
    return pa.Table.from_pylist([row.model_dump() for row in rows], schema=ROW_SCHEMA)


def row_from_record(record: dict[str, Any]) -> Row:
    """A row read back from Arrow: nulls in lists and flags become the model's defaults."""
    return Row.model_validate({key: value for key, value in record.items() if value is not None})
