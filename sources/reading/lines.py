"""Lines of a text file with their numbers, bounded in length, whatever the file contains."""

from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO, NamedTuple

from synthmill.schemas.errors import InputError
from synthmill.sources.reading.files import open_regular

SKIPPED_AT_ONCE = 1 << 16  # bytes read at a time while skipping the rest of a long line
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line: its number from 1, and its text or the reason why it has none."""

    number: int
    text: str = ""
    fault: str | None = None
    excerpt: str = ""


def lines_of(path: Path, most_bytes: int) -> Iterator[Line]:
    """The lines of the file at a path; see `bounded_lines`.

    Raises:
        InputError: the file cannot be opened.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        raise InputError(f"source file {path} cannot be read: {error.strerror}") from error
    with file:
        yield from bounded_lines(file, most_bytes)


def bounded_lines(file: BufferedIOBase | BinaryIO, most_bytes: int) -> Iterator[Line]:
    """The lines of a UTF-8 file with their line ends, at most `most_bytes` bytes each in memory.

    A longer line, or one that is not UTF-8, is yielded with `fault` instead of text.
    """
    number = 0
    while raw := file.readline(most_bytes + 1):
        number += 1
        if number == 1:
            raw = raw.removeprefix(BYTE_ORDER_MARK)
        if len(raw) > most_bytes:
            if not raw.endswith(b"\n"):
                _skip_rest(file)
            yield Line(
                number, fault=f"line is longer than {most_bytes} bytes", excerpt=_excerpt(raw)
            )
            continue
        try:
            yield Line(number, raw.decode("utf-8"))
        except UnicodeDecodeError as error:
            yield Line(
                number,
                fault=f"not UTF-8: byte {error.start + 1} is 0x{raw[error.start]:02x}",
                excerpt=_excerpt(raw),
            )


def _skip_rest(file: BufferedIOBase | BinaryIO) -> None:
    while (piece := file.readline(SKIPPED_AT_ONCE)) and not piece.endswith(b"\n"):
        pass


def _excerpt(raw: bytes) -> str:
    return raw[:80].decode("utf-8", "backslashreplace")
