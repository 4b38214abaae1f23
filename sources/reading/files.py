"""Files with untrusted content, read up to a maximum size."""

import gzip
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path

# Raised by opening and reading a file, compressed or not.
READ_ERRORS = (OSError, EOFError, zlib.error)
PACKED = ".gz"  # Debian's documentation is mostly compressed


class Unreadable(Exception):
    """A file or record that cannot be read as a document: `reason` is a short stable phrase."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to read, decompressed if its name ends in .gz.

    `name` is its path relative to the source's folder, `max_bytes` the largest size that is read as
    a whole, and `license` the license of content that states none.
    """

    path: Path
    name: str
    max_bytes: int = 64 << 20
    license: str | None = None

    @property
    def suffix(self) -> str:
        """The suffix of its format, in lower case, without `.gz`."""
        return Path(self.name.lower().removesuffix(PACKED)).suffix

    @property
    def stem(self) -> str:
        """Its name without folders and suffixes."""
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
        """The file as UTF-8 text with `\n` line ends.

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
    """The text with NUL and lone surrogates replaced one for one, as Arrow strings hold neither."""
    return (
        text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )
