"""Export of page annotations in OmniDocBench's form: a JSON object for each page.

The benchmark's own file is one JSON list: ``jq -s . annotations/train.jsonl > truth.json``.
"""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from synthmill.schemas import base
from synthmill.schemas.row import Kind, Row
from synthmill.store.exports.base import Exporter, FileFormat

if TYPE_CHECKING:
    from datasets import Features

# The benchmark's category of each kind of element, and the field of its content.
CATEGORIES = {
    "title": ("title", "text"),
    "text": ("text_block", "text"),
    "table": ("table", "html"),
    "formula": ("equation_isolated", "latex"),
    "figure": ("figure", "text"),
}


class OmniDocBenchSettings(base.Settings):
    """Settings of the export."""

    media_root: str = Field(
        default="", description="put before image paths, which start at the dataset's folder"
    )
    format: FileFormat = Field(default="jsonl", description="jsonl, or parquet")


class OmniDocBenchExporter(Exporter[OmniDocBenchSettings]):
    """The labeled elements of every page whose layout row was accepted, one record for a page.

    Boxes are in pixels of the page's image. Element rows become part of the record of their page;
    pages without an accepted layout are left out. The labels of all pages are kept in memory.
    """

    name = "omnidocbench"
    kinds: "ClassVar[frozenset[Kind]]" = frozenset({"annotation"})
    Settings = OmniDocBenchSettings

    def __init__(self, settings: OmniDocBenchSettings) -> None:
        super().__init__(settings)
        self._elements: dict[str, list[dict[str, Any]]] = {}

    def part(self, row: Row) -> str:
        """All records have one shape."""
        return "annotations"

    def select(self, rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
        """The layout rows, after the elements of all pages are known."""
        layouts = []
        for row in rows:
            detail = json.loads(row.detail)
            kind = (detail.get("consensus") or {}).get("kind")
            if kind == "layout":
                layouts.append(row)
            elif kind in CATEGORIES:
                self._elements.setdefault(row.task_key, []).append(detail)
            else:
                yield self.part(row), row
        for row in layouts:
            yield self.part(row), row

    def features(self, part: str) -> "Features":
        """The benchmark's fields; `text`, `html` or `latex` hold the content."""
        from datasets import Features, List, Value

        text, number = Value("string"), Value("int64")
        return Features(
            {
                "layout_dets": List(
                    {
                        "category_type": text,
                        "poly": List(Value("float64")),
                        "ignore": Value("bool"),
                        "order": number,
                        "anno_id": number,
                        "text": text,
                        "html": text,
                        "latex": text,
                    }
                ),
                "page_info": {
                    "page_no": number,
                    "height": Value("float64"),
                    "width": Value("float64"),
                    "image_path": text,
                },
                "extra": {"relation": List(text)},
            }
        )

    def convert(self, row: Row) -> dict[str, Any] | None:
        """The record of the page of a layout row; None for other rows."""
        detail = json.loads(row.detail)
        if (detail.get("consensus") or {}).get("kind") != "layout" or not row.media:
            return None
        scale = detail["scale"]
        elements = sorted(self._elements.get(row.task_key, []), key=lambda d: d["order"])
        return {
            "layout_dets": [_annotation(element, scale) for element in elements],
            "page_info": {
                "page_no": detail["number"] - 1,
                "height": round(detail["height"] * scale),
                "width": round(detail["width"] * scale),
                "image_path": self.settings.media_root + row.media[0].path,
            },
            "extra": {"relation": []},
        }


def _annotation(detail: dict[str, Any], scale: float) -> dict[str, Any]:
    consensus = detail["consensus"]
    category, field = CATEGORIES[consensus["kind"]]
    box = [round(side * scale, 1) for side in consensus["box"]]
    content = {"text": "", "html": "", "latex": "", field: consensus["label"] or ""}
    return {
        "category_type": category,
        "poly": [box[k] for k in (0, 1, 2, 1, 2, 3, 0, 3)],
        "ignore": False,
        "order": detail["order"],
        "anno_id": detail["order"],
        **content,
    }
