"""Items of sources that could not be read."""

from pydantic import field_validator

from synthmill.schemas.base import Record
from synthmill.schemas.lineage import SourceRef, storable


class InvalidItem(Record):
    """An item that could not be read; the engine makes a rejected row of it."""

    key: str
    reason: str
    detail: str
    excerpt: str = ""
    origin: SourceRef

    @field_validator("key", "reason", "detail", "excerpt")
    @classmethod
    def _storable(cls, text: str) -> str:
        return storable(text)
