"""Records with a text field: JSON Lines and Parquet."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from synthmill.sources.documents.readers.common import (
    BROKEN,
    File,
    ReadSettings,
    Text,
    Unreadable,
    clean,
    first_line,
    opened,
    stem,
)
from synthmill.sources.reading.lines import Line, bounded_lines

TEXT_FIELDS = ("contents", "text", "content")  # the names of the released code's corpus come first
ROWS_AT_ONCE = 256


def read_jsonl(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document a line; blank lines are passed over.

    Raises:
        Unreadable: the file cannot be opened or unpacked.
    """
    try:
        with opened(file) as source:
            for line in bounded_lines(source, settings.max_record_bytes):
                if line.fault is not None:
                    yield Text("", "", line.number, Unreadable("unreadable line", line.fault))
                elif line.text.strip():
                    yield _line(file, line, settings)
    except BROKEN as error:
        raise Unreadable("unreadable file", str(error)) from error


def read_parquet(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document a row; columns that hold neither text, title nor license are not read.

    Raises:
        Unreadable: the file cannot be decoded.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(file.path) as parquet:
            columns = _columns(parquet.schema_arrow.names, settings)
            for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
                for record in batch.to_pylist():
                    number += 1
                    yield _text(file, number, record, settings)
    except (OSError, ValueError, NotImplementedError, pa.ArrowException) as error:
        raise Unreadable(
            "unreadable file", f"after row {number}: {error}".split("\n")[0]
        ) from error


def _columns(names: Sequence[str], settings: ReadSettings) -> list[str] | None:
    """The columns to read, or None for all, where a fault shall name those that there are."""
    texts = {settings.text_field} if settings.text_field else set(TEXT_FIELDS)
    wanted = texts | {settings.title_field, settings.license_field}
    return [name for name in names if name in wanted] if texts & set(names) else None


def _line(file: File, line: Line, settings: ReadSettings) -> Text:
    try:
        record = json.loads(line.text)
    except (ValueError, RecursionError) as error:
        return Text("", "", line.number, Unreadable("unreadable line", f"broken JSON: {error}"))
    return _text(file, line.number, record, settings)


def _text(file: File, number: int, record: Any, settings: ReadSettings) -> Text:
    try:
        if not isinstance(record, Mapping):
            raise Unreadable("no record", "a JSON value, but not an object")
        text = clean(_field(record, settings.text_field))
        title = record.get(settings.title_field)
        license = record.get(settings.license_field)
        return Text(
            title=clean(title) if isinstance(title, str) else first_line(text, stem(file)),
            text=text,
            record=number,
            license=clean(license) if isinstance(license, str) else None,
        )
    except Unreadable as fault:
        return Text("", "", number, fault)


def _field(record: Mapping[str, Any], wanted: str | None) -> str:
    for name in (wanted,) if wanted else TEXT_FIELDS:
        if isinstance(record.get(name), str):
            return str(record[name])
    known = ", ".join(str(key) for key in list(record)[:8])
    asked = wanted or ", ".join(TEXT_FIELDS)
    raise Unreadable("no text field", f"no field {asked} with text; there are: {known}")
