"""Records with a text field: JSON Lines and Parquet."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from generators.documents.readers.common import (
    File,
    ReadSettings,
    Text,
    Unreadable,
    clean,
    first_line,
    stem,
)
from generators.sources._lines import bounded_lines

TEXT_FIELDS = ("contents", "text", "content")  # the names of the released code's corpus come first
ROWS_AT_ONCE = 256


def read_jsonl(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document a line; blank lines are passed over."""
    for line in bounded_lines(file.path, settings.max_record_bytes):
        if line.fault is not None:
            yield Text("", "", line.number, Unreadable("unreadable line", line.fault))
        elif line.text.strip():
            try:
                record = json.loads(line.text)
            except (ValueError, RecursionError) as error:
                fault = Unreadable("unreadable line", f"broken JSON: {error}")
                yield Text("", "", line.number, fault)
            else:
                yield _text(file, line.number, record, settings)


def read_parquet(file: File, settings: ReadSettings) -> Iterator[Text]:
    """One document a row.

    Raises:
        Unreadable: the file cannot be decoded.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(file.path) as parquet:
            for batch in parquet.iter_batches(ROWS_AT_ONCE, use_threads=False):
                for record in batch.to_pylist():
                    number += 1
                    yield _text(file, number, record, settings)
    except (OSError, ValueError, NotImplementedError, pa.ArrowException) as error:
        raise Unreadable(
            "unreadable file", f"after row {number}: {error}".split("\n")[0]
        ) from error


def _text(file: File, number: int, record: Any, settings: ReadSettings) -> Text:
    try:
        if not isinstance(record, Mapping):
            raise Unreadable("no record", "a JSON value, but not an object")
        text = clean(_field(record, settings.text_field))
        title = record.get(settings.title_field)
        licence = record.get(settings.licence_field)
        return Text(
            title=clean(title) if isinstance(title, str) else first_line(text, stem(file)),
            text=text,
            record=number,
            licence=licence if isinstance(licence, str) else None,
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
