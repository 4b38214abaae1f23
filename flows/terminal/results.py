"""Query results as CSV, JSON lines or a table; the first two stream."""

import csv
import itertools
import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import click
import pyarrow as pa

from synthmill.flows.report_text import counted
from synthmill.flows.terminal.console import cell_text, fits, output, plain_table, safe, text

MOST_CHARACTERS = 300  # of a cell
_FORMULA = re.compile(r"\s*[=+\-@]|\t")
_NUMBER = re.compile(r"[+-]?[\d.,]+%?")


def write_csv(reader: pa.RecordBatchReader) -> None:
    """Print the result as CSV with a header; nested values as JSON text.

    A text that a spreadsheet would run as a formula gets an apostrophe in front, and control
    characters are shown; JSON has all texts as they are.
    """
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(reader.schema.names)
    for record in _records(reader):
        writer.writerow(_harmless(_flat(value)) for value in record)


def _harmless(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    value = safe(value)
    return f"'{value}" if _FORMULA.match(value) and not _NUMBER.fullmatch(value) else value


def write_json(reader: pa.RecordBatchReader) -> None:
    """Print the result as one JSON object a line."""
    for record in _records(reader):
        pairs = dict(zip(reader.schema.names, record, strict=True))
        click.echo(_json(pairs))


def write_table(reader: pa.RecordBatchReader, limit: int) -> None:
    """Print at most `limit` rows, and a note if there are more.

    As a table where the columns fit side by side, else one record below the other. Integers are
    plain: a result may hold seeds and ids.
    """
    records = _records(reader)
    shown = [[_short(value) for value in record] for record in itertools.islice(records, limit)]
    console = output()
    if fits(reader.schema.names, shown, console.width):
        console.print(plain_table(reader.schema.names, shown, separators=False))
    else:
        for number, record in enumerate(shown, 1):
            console.print(text(f"-- row {number}", "bold"))
            for name, value in zip(reader.schema.names, record, strict=True):
                line = text(f"{name}: ", "cyan") + text(cell_text(value, False))
                console.print(line, soft_wrap=True)
    if next(records, None) is not None:
        click.echo(f"more than {limit:,} rows: --limit shows more, --csv and --json show all")
    else:
        click.echo(counted(len(shown), "row"))


def _records(reader: pa.RecordBatchReader) -> Iterator[tuple[Any, ...]]:
    # Two columns of a result may share a name, so records are tuples and not mappings.
    for batch in reader:
        columns = (map(_number, column.to_pylist()) for column in batch.columns)
        yield from zip(*columns, strict=True)


def _number(value: Any) -> Any:
    """A decimal as a number (DuckDB sums integers to decimals); any other value as it is."""
    if not isinstance(value, Decimal):
        return value
    return int(value) if value == value.to_integral_value() else float(value)


def _json(value: Any) -> str:
    """A value as JSON text; what JSON has no form for (a date, say) is text in it."""

    def plain(inner: Any) -> Any:
        return _number(inner) if isinstance(inner, Decimal) else str(inner)

    return json.dumps(value, ensure_ascii=False, default=plain)


def _flat(value: Any) -> Any:
    """A value that is nested as JSON text; any other as it is."""
    return _json(value) if isinstance(value, list | dict) else value


def _short(value: Any) -> Any:
    """A value that is nested or long as a text of limited length."""
    flat = _flat(value)
    if isinstance(flat, datetime):
        return f"{flat:%Y-%m-%d %H:%M:%S}"
    long = isinstance(flat, str) and len(flat) > MOST_CHARACTERS
    return flat[: MOST_CHARACTERS - 3] + "..." if long else flat
