"""What the readers share: the file, limits, and text as it enters the factory."""

import gzip
import zlib
from collections.abc import Callable
from io import BufferedIOBase
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import Field

from synthmill.runtime.workers import Limits, WorkerError, WorkerTimeout, shared_pool
from synthmill.schemas.base import Settings


class Unreadable(Exception):
    """A file or record that is no document: `reason` is a short stable phrase."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


T = TypeVar("T")


def read_in_worker(form: str, read: Callable[..., T], *given: object, limits: Limits) -> T:
    """What ``read(*given)`` returns; `read` is a module-level function, `form` what it reads.

    Raises:
        Unreadable: it raised, exceeded a limit, or crashed.
    """
    try:
        return shared_pool().run_blocking(read, *given, limits=limits)
    except WorkerTimeout:
        raise Unreadable(f"{form} took too long", f"more than {limits.seconds:g} s") from None
    except WorkerError as error:
        raise Unreadable(f"{form} broke its reader", str(error)) from None
    except Exception as error:
        raise Unreadable(f"unreadable {form}", f"{type(error).__name__}: {error}") from error


class File(NamedTuple):
    """A file, and its name from the corpus folder on."""

    path: Path
    name: str


class Text(NamedTuple):
    """What a reader found: a title, the text, and the record's number where a file holds many.

    `fault` tells why there is no text.
    """

    title: str
    text: str
    record: int | None = None
    fault: Unreadable | None = None
    license: str | None = None


class ReadSettings(Settings):
    """Limits for files that may be anything, and the fields of records."""

    max_bytes: int = Field(
        default=64 << 20, gt=0, description="largest file read whole (unpacked), in bytes"
    )
    max_record_bytes: int = Field(default=4 << 20, gt=0, description="longest line of a jsonl file")
    text_field: str | None = Field(
        default=None, description="field of the text in records; null tries contents, text, content"
    )
    title_field: str = Field(default="title", description="field of the title in records")
    license_field: str = Field(default="license", description="field of the license in records")
    pdf_seconds: float = Field(default=60.0, gt=0, description="time limit of one PDF")
    pdf_memory_mb: int = Field(
        default=1024, gt=0, description="memory limit of the process that reads PDF and HTML"
    )
    pdf_pages: int = Field(default=5000, gt=0, description="pages read of one PDF")


# What opening and reading a file raises, packed or not.
BROKEN = (OSError, EOFError, zlib.error)


def opened(file: File) -> BufferedIOBase:
    """The file to read from, unpacked where its name ends in .gz."""
    if file.name.lower().endswith(".gz"):
        return gzip.open(file.path, "rb")
    return file.path.open("rb")


def read_bytes(file: File, most: int) -> bytes:
    """The bytes of a file, unpacked where its name ends in .gz.

    Raises:
        Unreadable: it cannot be read, or is larger than `most` bytes.
    """
    try:
        with opened(file) as source:
            data = source.read(most + 1)
    except BROKEN as error:
        raise Unreadable("unreadable file", str(error)) from error
    if len(data) > most:
        raise Unreadable("file too large", f"more than {most:,} bytes")
    return data


def decoded(data: bytes) -> str:
    """UTF-8 bytes as text with one kind of line end.

    Raises:
        Unreadable: they are no UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        detail = f"byte {error.start + 1} is 0x{data[error.start]:02x}"
        raise Unreadable("not UTF-8", detail) from error
    return clean(text.replace("\r\n", "\n").replace("\r", "\n"))


def clean(text: str) -> str:
    """The text without what no column holds (NUL, lone surrogates), one character for one."""
    return (
        text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


def first_line(text: str, otherwise: str) -> str:
    """The first line with text, if it is short enough for a title."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if 0 < len(line) <= 120 else otherwise


def stem(file: File) -> str:
    """The file's name without folders and endings."""
    return Path(file.name).name.split(".")[0]
