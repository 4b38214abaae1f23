"""Files with untrusted content, read up to a maximum size."""

import errno
import gzip
import io
import os
import stat
import zlib
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import BinaryIO

# Raised by opening and reading a file, compressed or not.
READ_ERRORS = (OSError, EOFError, zlib.error)
READ_BYTES = 1 << 20  # read at once
PACKED = ".gz"  # Debian's documentation is mostly compressed
# Ours: how many times larger than itself a file may unpack, beyond `max_bytes`. Text becomes
# 3 to 20 times larger; the format allows 1,032 times.
MAX_RATIO = 200
# Files there are made by the kernel when they are read: they may have no end, or tell secrets.
KERNEL_FOLDERS = (Path("/proc"), Path("/sys"), Path("/dev/fd"))


class Unreadable(Exception):
    """A file or record that cannot be read as a document: `reason` is a short stable phrase."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason

    def __reduce__(self) -> tuple[type["Unreadable"], tuple[str, str]]:
        """It crosses the border of a worker process as it is."""
        return type(self), (self.reason, str(self))


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
            file = open_regular(self.path)
            most = max(self.max_bytes, os.fstat(file.fileno()).st_size * MAX_RATIO)
            return io.BufferedReader(_Unpacked(file, most))
        return open_regular(self.path)  # type: ignore[return-value]

    def read_bytes(self) -> bytes:
        """All bytes of the file.

        Raises:
            Unreadable: it cannot be read, or is larger than `max_bytes`.
        """
        data = io.BytesIO()
        try:
            with self.open() as source:  # in parts: `read` would set aside all of `max_bytes`
                left = self.max_bytes + 1
                while part := source.read(min(READ_BYTES, left)):
                    left -= data.write(part)
        except READ_ERRORS as error:
            raise Unreadable("unreadable file", str(error)) from error
        if data.tell() > self.max_bytes:
            raise Unreadable("file too large", f"more than {self.max_bytes:,} bytes")
        return data.getvalue()

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


def open_regular(path: Path) -> BinaryIO:
    """A file on disk, opened for reading; never waits, as opening a pipe would.

    Raises:
        OSError: it cannot be opened, or is a pipe, a device, or a file of the kernel.
    """
    try:
        real = path.resolve()
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (ValueError, RuntimeError) as error:  # NUL or a lone surrogate; a loop of links
        raise OSError(errno.EINVAL, f"not a path: {error}") from error
    regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
    if not regular or any(real.is_relative_to(folder) for folder in KERNEL_FOLDERS):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file")
    return os.fdopen(descriptor, "rb")


class _Unpacked(io.RawIOBase):
    """The content of a gzip file, refused after `most` bytes."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self._gzip = gzip.GzipFile(fileobj=file, mode="rb")
        self._left = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        data = self._gzip.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise OSError(f"unpacks to more than {MAX_RATIO} times its size")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._gzip.close()
        self._file.close()
        super().close()
