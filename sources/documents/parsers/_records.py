"""Records with a text field, as JSON Lines and Parquet files hold them."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from synthmill.schemas.base import Settings
from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.base import document_of, invalid_item
from synthmill.sources.reading.files import InputFile, Unreadable, clean

TEXT_FIELDS = ("contents", "text", "content")  # first the name in RAGShaper's corpus


class RecordSettings(Settings):
    """Which fields of records hold what."""

    text_field: str | None = Field(
        default=None, description="field of the text; null tries contents, text, content"
    )
    title_field: str = Field(default="title", description="field of the title")
    license_field: str = Field(default="license", description="field of the license")


def record_document(
    file: InputFile, number: int, record: Any, settings: RecordSettings
) -> Document | InvalidItem:
    """The document in a record."""
    try:
        if not isinstance(record, Mapping):
            raise Unreadable("no record", "a JSON value, but not an object")
        text = clean(_text(record, settings.text_field))
    except Unreadable as fault:
        return invalid_item(file, fault, number)
    title, license = record.get(settings.title_field), record.get(settings.license_field)
    return document_of(
        file,
        text,
        clean(title) if isinstance(title, str) else None,
        record=number,
        license=clean(license) if isinstance(license, str) else None,
    )


def _text(record: Mapping[str, Any], wanted: str | None) -> str:
    for name in (wanted,) if wanted else TEXT_FIELDS:
        if isinstance(record.get(name), str):
            return str(record[name])
    known = ", ".join(str(key) for key in list(record)[:8])
    asked = wanted or ", ".join(TEXT_FIELDS)
    raise Unreadable("no text field", f"no field {asked} with text; there are: {known}")
