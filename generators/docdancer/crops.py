"""Pictures of the evidence: a crop of the page for each part, and all of them on one sheet."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from synthmill.generators.docdancer.places import element_at
from synthmill.generators.docdancer.records import DocumentQuestionDetail, EvidencePlace
from synthmill.generators.docdancer.task import DocumentTask
from synthmill.runtime.workers import WorkerError
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.lineage import Media
from synthmill.schemas.row import Row
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import BoundingBox, union_of
from synthmill.sources.documents.pictures import PICTURE_LIMITS, crop_png
from synthmill.sources.reading.files import Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_CROPS = 8  # ours: of a question
GAP = 12  # pixels between crops on the sheet
LABEL = 22  # pixels of the line above a crop


async def crop_evidence(task: DocumentTask, detail: DocumentQuestionDetail) -> list[Media]:
    """A crop of each element that holds evidence, with its page; none in formats without pages."""
    original, stored = task.document.original, list[Media]()
    if original is None:
        return []
    places = detail.places or (detail.absence.near if detail.absence else ())
    boxes = dict.fromkeys(filter(None, (_box(task.document, place) for place in places)))
    for page, box in list(boxes)[:MAX_CROPS]:
        try:
            png = await task.context.run_in_worker(
                crop_png, original, page, box, limits=PICTURE_LIMITS
            )
        except (Unreadable, WorkerError):
            continue
        where = canonical_json({"page": page, "box": list(box)})
        stored.append(await task.context.write_media(png, "image", "image/png", where))
    return stored


def evidence_sheet(row: Row, media: Path) -> bytes | None:
    """The row's crops, one below the other with their pages, as PNG; None where it has none."""
    if not row.media:
        return None
    from PIL import Image, ImageDraw

    crops = list(_crops(row, media))
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


def _crops(row: Row, media: Path) -> "Iterator[tuple[str, Image]]":
    from PIL import Image

    for file in row.media:
        page = json.loads(file.detail or "{}").get("page", "?")
        yield f"page {page}", Image.open(media / file.path).convert("RGB")


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
