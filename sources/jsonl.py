"""Problems from a JSON Lines file: one object per line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synthmill.sources._problems import ProblemSettings, ProblemSource, RawRow
from synthmill.sources.reading.lines import Line, lines_of


class JsonlSettings(ProblemSettings):
    """Settings of the source `jsonl`."""

    path: Path = Field(description="the file")
    max_line_bytes: int = Field(default=4 << 20, gt=0, description="longest line that is read")


class JsonlSource(ProblemSource):
    """One problem per line; blank lines are skipped."""

    name: ClassVar[str] = "jsonl"
    Settings = JsonlSettings
    settings: JsonlSettings

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Files with the suffix .jsonl."""
        return path.suffix.lower() == ".jsonl" and not path.is_dir()

    def rows(self) -> Iterator[RawRow]:
        """The lines as rows."""
        for line in lines_of(self.settings.path, self.settings.max_line_bytes):
            if line.fault is not None or line.text.strip():
                yield _row(self.settings.path.as_posix(), line)


def _row(uri: str, line: Line) -> RawRow:
    if line.fault is not None:
        return RawRow(uri, line.number, fault=line.fault, excerpt=line.excerpt, unit="line")
    try:
        record, fault = json.loads(line.text), "a JSON value, but not an object"
    # The parser rejects thousands of open brackets, and numbers of thousands of digits.
    except (ValueError, RecursionError) as error:
        record, fault = None, f"broken JSON: {error}"
    if not isinstance(record, dict):
        return RawRow(uri, line.number, fault=fault, excerpt=line.text[:80], unit="line")
    return RawRow(uri, line.number, record, unit="line")
