"""Files whose content may be anything, read with a bound on their size."""

import gzip
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

# What opening and reading a file raises, packed or not.
READ_ERRORS = (OSError, EOFError, zlib.error)
PACKED = ".gz"  # as most text of Debian's documentation is


class Unreadable(Exception):
    """A file or record that is no document: `reason` is a short stable phrase."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read, unpacked where its name ends in .gz.

    `name` is its name from the folder of its source on, `max_bytes` the most that is read of it at
    once, and `license` holds for all in it that states none.
    """

    path: Path
    name: str
    max_bytes: int = 64 << 20
    license: str | None = None

    @property
    def suffix(self) -> str:
        """The ending that tells its form, in lower case, without that of packing."""
        return Path(self.name.lower().removesuffix(PACKED)).suffix

    @property
    def stem(self) -> str:
        """Its name without folders and endings."""
        return Path(self.name).name.split(".")[0]

    def open(self) -> BufferedIOBase:
        """The file to read from; raises one of `READ_ERRORS`."""
        if self.name.lower().endswith(PACKED):
            return gzip.open(self.path, "rb")
        return self.path.open("rb")

    def read_bytes(self) -> bytes:
        """All bytes of the file.

        Raises:
            Unreadable: it cannot be read, or is larger than `max_bytes`.
        """
        try:
            with self.open() as source:
                data = source.read(self.max_bytes + 1)
        except READ_ERRORS as error:
            raise Unreadable("unreadable file", str(error)) from error
        if len(data) > self.max_bytes:
            raise Unreadable("file too large", f"more than {self.max_bytes:,} bytes")
        return data

    def read_text(self) -> str:
        """The file as UTF-8 text with one kind of line end.

        Raises:
            Unreadable: it cannot be read, is too large, or is not UTF-8.
        """
        data = self.read_bytes()
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
