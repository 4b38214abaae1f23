"""Pictures of the evidence: crops of the pages on one sheet, made from the document's own file.

Rows hold the boxes and no pictures: media of a row are what its messages show.
"""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from synthmill.generators.docdancer.places import element_at
from synthmill.generators.docdancer.records import (
    DocumentQuestionDetail,
    EvidenceBox,
    EvidencePlace,
)
from synthmill.runtime.workers import WorkerError, shared_pool
from synthmill.schemas.row import Row
from synthmill.sources.documents.document import Document, OriginalFile
from synthmill.sources.documents.elements import BoundingBox, union_of
from synthmill.sources.documents.pictures import PICTURE_LIMITS, crop_png
from synthmill.sources.reading.files import InputFile, Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_CROPS = 8  # ours: of a question
MAX_BYTES = 256 << 20  # ours: of a file that is opened for its pictures
GAP = 12  # pixels between crops on the sheet
LABEL = 22  # pixels of the line above a crop


def boxes_of(document: Document, places: Sequence[EvidencePlace]) -> list[EvidenceBox]:
    """The boxes of the elements that hold evidence, each once; none in formats without pages."""
    found = dict.fromkeys(filter(None, (_box(document, place) for place in places)))
    return [EvidenceBox(page=page, box=tuple(box)) for page, box in list(found)[:MAX_CROPS]]


def evidence_sheet(row: Row) -> bytes | None:
    """The crops of a question's evidence, one below the other with their pages, as PNG.

    None for other rows, and where the file is missing or has changed.
    """
    if row.kind != "rlvr" or '"boxes"' not in row.detail:
        return None
    crops = list(_crops(DocumentQuestionDetail.model_validate_json(row.detail)))
    if not crops:
        return None
    from PIL import Image, ImageDraw

    width = max(image.width for _, image in crops)
    height = sum(image.height + LABEL + GAP for _, image in crops)
    sheet, top = Image.new("RGB", (width, height), "white"), 0
    draw = ImageDraw.Draw(sheet)
    for label, image in crops:
        draw.text((4, top + 4), label, fill="black", font_size=14)
        sheet.paste(image, (0, top + LABEL))
        top += image.height + LABEL + GAP
        draw.line([(0, top - GAP // 2), (width, top - GAP // 2)], fill="gray")
    out = io.BytesIO()
    sheet.save(out, "PNG")
    return out.getvalue()


def _crops(detail: DocumentQuestionDetail) -> "Iterator[tuple[str, Image]]":
    from PIL import Image

    path, sha256 = Path(detail.document.uri), detail.document.file_sha256
    if sha256 is None or not path.is_file():
        return
    original = OriginalFile(InputFile(path, path.name, MAX_BYTES, None), sha256)
    for one in detail.boxes:
        box = BoundingBox(*one.box)
        try:
            png = shared_pool().run_blocking(
                crop_png, original, one.page, box, limits=PICTURE_LIMITS
            )
        except (Unreadable, WorkerError):
            continue
        yield f"page {one.page}", Image.open(io.BytesIO(png)).convert("RGB")


def _box(document: Document, place: EvidencePlace) -> tuple[int, BoundingBox] | None:
    """Page and box of the element that holds a place, its caption included."""
    element = element_at(document, place.start)
    if place.figure is not None:
        element = next((f for f in document.figures if f.number == place.figure), element)
    if element is None or element.page is None or element.box is None:
        return None
    caption = getattr(element, "caption_box", None)
    box = union_of([element.box, caption]) if caption else element.box
    return (element.page, box) if box else None
