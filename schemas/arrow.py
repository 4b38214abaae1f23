"""The Arrow schema of a row, derived from the pydantic model.

Only types that `datasets`, DuckDB and the trainers all read: no map, no free structs, no unions.
A message whose content is typed parts is stored in two strings: `content` holds its text, as for
every other message, and `parts` the JSON text of all its parts. `parts` is null for text, so
reading never has to guess from how a text looks.
"""

import types
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel, TypeAdapter

from synthmill.schemas.messages import ContentPart, Message
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
    """The nullable Arrow fields of a model, in order: one for each field, two for `content`."""
    fields = []
    for name, field in model.model_fields.items():
        if model is Message and name == "content":
            fields += [pa.field("content", pa.string()), pa.field("parts", pa.string())]
        else:
            fields.append(pa.field(name, arrow_type(field.annotation)))
    return fields


# Columns that are looked at most come first.
LEADING = ("id", "kind", "status", "split", "generator", "task_key")
_FIELDS = {field.name: field for field in arrow_fields(Row)}
ROW_SCHEMA: pa.Schema = pa.schema(
    [_FIELDS[name] for name in LEADING]
    + [field for name, field in _FIELDS.items() if name not in LEADING]
)


CONVERSATIONS = ("messages", "chosen", "rejected")
_PARTS = TypeAdapter(tuple[ContentPart, ...])


def rows_to_table(rows: Sequence[Row]) -> pa.Table:
    """Rows as an Arrow table of `ROW_SCHEMA`."""
    return pa.Table.from_pylist([record_from_row(row) for row in rows], schema=ROW_SCHEMA)


def record_from_row(row: Row) -> dict[str, Any]:
    """A row as a record of `ROW_SCHEMA`, with typed content as text and JSON text."""
    record = row.model_dump()
    for name in CONVERSATIONS:
        turns: list[Message] = getattr(row, name)
        for turn, stored in zip(turns, record[name], strict=True):
            stored["parts"] = None
            if isinstance(turn.content, tuple):
                stored["parts"] = _PARTS.dump_json(turn.content, exclude_none=True).decode()
                stored["content"] = turn.text
    return record


def row_from_record(record: dict[str, Any]) -> Row:
    """A row read back from Arrow: nulls in lists and flags become the model's defaults."""
    values = {key: value for key, value in record.items() if value is not None}
    for name in CONVERSATIONS:
        if name in values:
            values[name] = [_message_values(turn) for turn in values[name]]
    return Row.model_validate(values)


def _message_values(stored: dict[str, Any]) -> dict[str, Any]:
    values = dict(stored)
    parts = values.pop("parts", None)
    return values if parts is None else {**values, "content": _PARTS.validate_json(parts)}
