"""Problems from a CSV file with a header line."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synthmill.schemas.errors import InputError
from synthmill.sources._problems import ProblemSettings, ProblemSource, RawRow
from synthmill.sources.reading.lines import Line, lines_of

DELIMITERS = (",", ";", "\t", "|")  # ours: those that are looked for, most usual first
HEADER_BYTES = 1 << 20


class CsvSettings(ProblemSettings):
    """Settings of the source `csv`."""

    path: Path = Field(description="the file")
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="\\t for tabs")
    max_line_bytes: int = Field(default=4 << 20, gt=0, description="longest line that is read")


class CsvSource(ProblemSource):
    """One problem per record; the first record names the fields.

    A record may span lines within quotes; its number is that of its last line. A quote that is
    never closed ends at Python's limit on the size of a field (128 KiB), as an invalid row.
    """

    name: ClassVar[str] = "csv"
    Settings = CsvSettings
    settings: CsvSettings

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Files with the suffix .csv."""
        return path.suffix.lower() == ".csv" and not path.is_dir()

    def rows(self) -> Iterator[RawRow]:
        """The records as rows."""
        uri, faults = self.settings.path.as_posix(), list[Line]()
        lines = _readable(lines_of(self.settings.path, self.settings.max_line_bytes), faults)
        numbered = _Numbered(lines)
        reader = csv.reader(numbered, delimiter=self.settings.delimiter, strict=True)
        header: list[str] | None = None
        values: list[str] | None = []
        while values is not None:
            try:
                values = next(reader, None)
            except csv.Error as error:
                values = []
                yield RawRow(uri, numbered.number, fault=f"broken CSV: {error}", unit="line")
            yield from _taken(uri, faults)
            if values and header is None:
                header = _header(uri, values)
            elif values and header is not None:
                yield _row(uri, numbered.number, header, values)

    def hint(self) -> str:
        """Another delimiter, where the header is one name with such signs in it."""
        header = next((row.record for row in self.whole_rows() if row.record is not None), {})
        found = delimiter_of(self.settings.path)
        if len(header) > 1 or found == self.settings.delimiter:
            return super().hint()
        return f". Perhaps `delimiter: {json.dumps(found)}`"


def delimiter_of(path: Path) -> str:
    """The sign that splits the header of a file into most names."""
    header = next(lines_of(path, HEADER_BYTES), None)
    if header is None or header.fault is not None:
        return DELIMITERS[0]
    return max(DELIMITERS, key=lambda sign: len(next(csv.reader([header.text], delimiter=sign))))


class _Numbered:
    """Iterates over the text of lines and remembers the number of the last one."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self.number = 0

    def __iter__(self) -> "_Numbered":
        return self

    def __next__(self) -> str:
        self.number, text, *_ = next(self._lines)
        return text


def _readable(lines: Iterator[Line], faults: list[Line]) -> Iterator[Line]:
    for line in lines:
        if line.fault is None:
            yield line
        else:
            faults.append(line)


def _taken(uri: str, faults: list[Line]) -> Iterator[RawRow]:
    while faults:
        line = faults.pop(0)
        yield RawRow(uri, line.number, fault=line.fault, excerpt=line.excerpt, unit="line")


def _header(uri: str, names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise InputError(f"source file {uri} names a column twice: {', '.join(names)}")
    return names


def _row(uri: str, number: int, header: list[str], values: list[str]) -> RawRow:
    if len(values) != len(header):
        fault = f"{len(values)} values under {len(header)} column names"
        return RawRow(uri, number, fault=fault, excerpt=",".join(values)[:80], unit="line")
    return RawRow(uri, number, dict(zip(header, values, strict=True)), unit="line")
