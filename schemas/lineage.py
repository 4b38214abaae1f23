"""Sources of facts, and media files of rows."""

from datetime import datetime
from typing import Literal

from pydantic import field_validator

from synthmill.schemas.base import Record


def storable(text: str) -> str:
    r"""The text with lone surrogates, as file names may hold, spelled out (`\udcff`)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class SourceRef(Record):
    """The source of a fact; `start` and `end` are character offsets into its text."""

    uri: str
    sha256: str | None = None
    title: str | None = None
    license: str | None = None
    start: int | None = None
    end: int | None = None
    retrieved_at: datetime | None = None

    @field_validator("uri", "title")
    @classmethod
    def _storable(cls, text: str | None) -> str | None:
        return text if text is None or text.isascii() else storable(text)


class Media(Record):
    """A file of a row, stored content-addressed: `path` is relative to the dataset's folder.

    `detail` is JSON text (frame rate, size, time range).
    """

    kind: Literal["image", "video", "audio", "file"]
    path: str
    sha256: str
    mime: str
    detail: str | None = None
