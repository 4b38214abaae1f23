"""What every source of problems shares: field mapping, row selection, and invalid rows."""

import hashlib
import itertools
import json
import math
import re
import time
from abc import abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from synthmill.schemas.base import Record, Settings
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.base import Problem, Source
from synthmill.sources.reading.field_names import flat_texts, guess_fields

KEY_LENGTH = 20  # hex digits of a content hash: 80 bits, odds of a clash below 1e-12 at 1e6 rows
ROWS_CHECKED = 20
EXCERPT = 80


class Fields(Record):
    """Which field of a row holds what; a dot reaches into a nested object (`meta.level`)."""

    problem: str = Field(default="problem", description="field of the question")
    answer: str | None = Field(
        default="answer",
        description="field of the answer; null where the problems have none",
    )
    id: str | None = Field(
        default=None,
        description="field of a stable unique id; null takes the hash of question and answer",
    )


class ProblemSettings(Settings):
    """Settings that every source of problems has."""

    fields: Fields = Fields()
    license: str | None = Field(default=None, description="SPDX name, carried into every row")
    where: dict[str, Any] = Field(
        default={}, description="keep rows whose field equals the value, or one of a list of values"
    )
    skip: int = Field(default=0, ge=0, description="problems to skip at the start")
    limit: int | None = Field(default=None, gt=0, description="problems to yield at most")
    answer_after: str | None = Field(
        default=None,
        min_length=1,
        description="marker in the answer's field after which the answer begins (#### in GSM8K)",
    )
    answer_required: bool = Field(
        default=False, description="treat a problem without an answer as an invalid row"
    )
    max_chars: int = Field(
        default=100_000, gt=0, description="longest question or answer, in characters"
    )


class RawRow(NamedTuple):
    """A row as read: its file, its number from 1, its fields or what is wrong with it."""

    uri: str
    number: int
    record: dict[str, Any] | None = None
    fault: str | None = None
    excerpt: str = ""
    unit: str = "row"


class InvalidRow(Exception):
    """A row without a usable problem: `reason` is a short stable phrase, the message details it."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class ProblemSource(Source):
    """Rows with fields, turned into problems; a subclass only reads the rows.

    The order is that of the file. A key that comes again makes an invalid row, because keys name
    tasks; the keys seen take about 100 bytes per problem.
    """

    item = Problem
    settings: ProblemSettings

    @abstractmethod
    def rows(self) -> Iterator[RawRow]:
        """The rows, read lazily.

        Raises:
            InputError: the source as a whole cannot be read.
        """

    def whole_rows(self) -> Iterator[RawRow]:
        """The rows with all their fields, to find out which field is which."""
        return self.rows()

    def items(self) -> Iterator[Problem | InvalidItem]:
        """The problems, and invalid items in place of rows that hold none."""
        settings, seen, good = self.settings, set[str](), 0
        for row in self.rows():
            if settings.limit is not None and good >= settings.skip + settings.limit:
                return
            try:
                problem = self.problem(row)
                if problem is None:
                    continue
                if problem.key in seen:
                    raise InvalidRow("duplicate key", f"key {problem.key} was seen before")
            except InvalidRow as invalid:
                yield invalid_row(row, invalid, settings.license)
                continue
            seen.add(problem.key)
            good += 1
            if good > settings.skip:
                yield problem

    def problem(self, row: RawRow) -> Problem | None:
        """The problem in a row, or None where `where` leaves the row out.

        Raises:
            InvalidRow: there is none.
        """
        settings = self.settings
        if row.record is None:
            raise InvalidRow("unreadable row", row.fault or "unreadable")
        if not all(_matches(_field(row.record, k), v) for k, v in settings.where.items()):
            return None
        text = read_text(row.record, settings.fields.problem, settings.max_chars)
        if text is None:
            raise InvalidRow("no problem", _missing(row.record, settings.fields.problem))
        answer = self.read_answer(row.record)
        if answer is None and settings.answer_required:
            raise InvalidRow("no answer", _missing(row.record, settings.fields.answer or "answer"))
        return Problem(
            key=self.read_key(row.record, text, answer),
            text=text,
            answer=answer,
            origin=SourceRef(
                uri=row.uri,
                sha256=file_sha256(row.uri),
                title=f"{row.unit} {row.number}",
                license=settings.license,
            ),
        )

    def size(self, seconds: float) -> int | None:
        """The number of problems and invalid rows, counted by reading them."""
        until, count = time.monotonic() + seconds, 0
        for count, _ in enumerate(self.items(), 1):
            if count % 256 == 0 and time.monotonic() > until:
                return None
        return count

    def read_answer(self, record: dict[str, Any]) -> str | None:
        """The answer in a row, or None where it has none."""
        settings = self.settings
        if settings.fields.answer is None:
            return None
        answer = read_text(record, settings.fields.answer, settings.max_chars)
        if answer is not None and settings.answer_after is not None:
            _, mark, tail = answer.rpartition(settings.answer_after)
            if not mark or not tail.strip():
                raise InvalidRow("no answer", f"no {settings.answer_after!r} in the answer's field")
            answer = tail.strip()
        return answer

    def read_key(self, record: dict[str, Any], text: str, answer: str | None) -> str:
        """The row's own id, or the hash of question and answer."""
        field = self.settings.fields.id
        if field is None:
            return content_key(text, answer)
        key = read_text(record, field, self.settings.max_chars)
        if key is None:
            raise InvalidRow("no id", _missing(record, field))
        return key

    def check(self) -> str:
        """One line about the source; finds wrong field names."""
        bad: list[InvalidItem] = []
        for item, _ in zip(self.items(), range(ROWS_CHECKED), strict=False):
            if isinstance(item, Problem):
                return f"{self.name}: readable; first problem: {_short(item.text)!r}"
            bad.append(item)
        if bad:
            raise InputError(
                f"{self.name}: none of the first {len(bad)} rows holds a problem; the first: "
                f"{bad[0].detail}{self.hint()}"
            )
        return f"{self.name}: empty"

    def hint(self) -> str:
        """What a recipe may have to say, where no row holds a problem: fields that look right."""
        rows = itertools.islice(self.whole_rows(), ROWS_CHECKED)
        records = [dict(flat_texts(row.record)) for row in rows if row.record is not None]
        try:
            guess = guess_fields(records, {}) if records else None
        except InputError:
            guess = None
        if guess is None or guess.problem == self.settings.fields.problem:
            return ""
        answer = "null" if guess.answer is None else _yaml(guess.answer)
        return f". Perhaps `fields: {{problem: {_yaml(guess.problem)}, answer: {answer}}}`"


@lru_cache(maxsize=64)
def file_sha256(path: str) -> str | None:
    """The hash of a file, or None where there is no file of that name; read once a process."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def content_key(text: str, answer: str | None) -> str:
    """The stable key of a problem without an id."""
    return sha256_text(f"{text}\x00{answer if answer is not None else ''}")[:KEY_LENGTH]


def invalid_row(row: RawRow, invalid: InvalidRow, license: str | None = None) -> InvalidItem:
    """The invalid item for a row, naming the file and the line or row."""
    place = f"{row.uri}, {row.unit} {row.number}"
    return InvalidItem(
        key=f"{row.uri}#{row.number}",
        reason=invalid.reason,
        detail=f"{place}: {invalid}",
        excerpt=row.excerpt or _short(str(row.record)),
        origin=SourceRef(uri=row.uri, title=f"{row.unit} {row.number}", license=license),
    )


def read_text(record: dict[str, Any], name: str, most: int) -> str | None:
    """A field as stripped text; None where it is missing, null, empty or not a number.

    Raises:
        InvalidRow: the value is neither text nor a number, is too long, or is no valid Unicode.
    """
    value = _field(record, name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise InvalidRow("wrong type", f"field {name!r} is {type(value).__name__}, not text")
    text = _number_text(value) if isinstance(value, int | float) else value.strip()
    if len(text) > most:
        detail = f"field {name!r} has {len(text)} characters, more than {most}"
        raise InvalidRow("too large", detail)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidRow("not UTF-8", f"field {name!r} holds half a surrogate pair") from error
    return text or None


def _number_text(value: int | float) -> str:
    try:
        # Readers of columns make floats of whole numbers where one value is missing.
        return str(int(value)) if value == int(value) else repr(value)
    except (ValueError, OverflowError) as error:
        raise InvalidRow("wrong type", f"a number that cannot be written: {error}") from error


def _field(record: dict[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    value: Any = record
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _matches(value: Any, wanted: Any) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted


def _missing(record: dict[str, Any], name: str) -> str:
    if _field(record, name) is not None or name in record:
        return f"field {name!r} is empty"
    names = [str(key) for key in record]
    return f"no field {name!r}{nearest(name, names)}; the row has {', '.join(names[:12]) or 'none'}"


def _yaml(name: str) -> str:
    """A name within braces of YAML."""
    return name if re.fullmatch(r"[\w][\w./-]*", name) else json.dumps(name, ensure_ascii=False)


def _short(text: str) -> str:
    line = " ".join(text[: 4 * EXCERPT].split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 3] + "..."
