"""Pictures of a document: its pages, its figures and tables, any box, as PNG.

The functions read the original file and run in a worker process:
``await context.run_in_worker(page_png, document.original, 3, limits=PICTURE_LIMITS)``.
"""

import hashlib
import io
import zipfile
from typing import TYPE_CHECKING, Any

from synthmill.runtime.workers import Limits
from synthmill.sources.documents.document import OriginalFile
from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.reading.files import Unreadable

if TYPE_CHECKING:
    from PIL.Image import Image

PAGE_DPI = 144  # ours: 10-point type is 20 pixels high
# DocDancer's code passes 2048 blocks of 32 x 32 pixels as the bound of pages and figures.
MAX_PIXELS = 2048 * 32 * 32
CROP_MARGIN = 4.0  # ours: points of paper around a crop, so that rules at its edge are seen
MAX_IMAGE_BYTES = 64 << 20  # ours: of one image within an Office file, unpacked
# Ours: a page at `PAGE_DPI` takes a tenth of a second and 30 MB.
PICTURE_LIMITS = Limits(seconds=30.0, memory_mb=1024, output_mb=32)


def page_png(
    original: OriginalFile, number: int, dpi: float = PAGE_DPI, max_pixels: int = MAX_PIXELS
) -> bytes:
    """A page, numbered from 1, as it is shown.

    The resolution is lowered where the picture would have more than `max_pixels`.

    Raises:
        Unreadable: the file has changed, has no such page, or cannot be rendered.
    """
    return _rendered(original, number, None, dpi, max_pixels)


def crop_png(
    original: OriginalFile,
    number: int,
    box: BoundingBox,
    dpi: float = PAGE_DPI,
    max_pixels: int = MAX_PIXELS,
) -> bytes:
    """A box of a page (a figure, a table, a paragraph) with `CROP_MARGIN` around it.

    Raises:
        Unreadable: as `page_png`; or the box is outside of the page.
    """
    return _rendered(original, number, box, dpi, max_pixels)


def embedded_png(original: OriginalFile, name: str, max_pixels: int = MAX_PIXELS) -> bytes:
    """An image within an Office file, by the name of its part (`Figure.image` of a DOCX).

    Raises:
        Unreadable: the file has changed, or the image is missing or of an unknown form.
    """
    from PIL import Image

    try:
        with zipfile.ZipFile(io.BytesIO(_bytes(original))) as archive, archive.open(name) as part:
            data = part.read(MAX_IMAGE_BYTES + 1)
        if len(data) > MAX_IMAGE_BYTES:
            raise Unreadable("image too large", f"{name}: more than {MAX_IMAGE_BYTES:,} bytes")
        with Image.open(io.BytesIO(data)) as image:
            return _png(image.convert("RGB"), max_pixels)
    except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise Unreadable("unreadable image", f"{name}: {error}") from error


def _rendered(
    original: OriginalFile, number: int, box: BoundingBox | None, dpi: float, max_pixels: int
) -> bytes:
    import pypdfium2

    try:
        opened = pypdfium2.PdfDocument(_bytes(original))
        if not 1 <= number <= len(opened):
            raise Unreadable("no such page", f"page {number} of {len(opened)}")
        page = opened[number - 1]
        return _png(render(page, box, dpi, max_pixels), max_pixels)
    except pypdfium2.PdfiumError as error:
        raise Unreadable("unreadable PDF", str(error)) from error


def render(page: Any, box: BoundingBox | None, dpi: float, max_pixels: int) -> "Image":
    """A page of pypdfium2, or a box of it, as an image of at most `max_pixels`.

    Raises:
        Unreadable: the box is outside of the page.
    """
    width, height = page.get_size()
    x0, y0, x1, y1 = 0.0, 0.0, width, height
    if box is not None:
        x0, y0 = max(0.0, box.x0 - CROP_MARGIN), max(0.0, box.y0 - CROP_MARGIN)
        x1, y1 = min(width, box.x1 + CROP_MARGIN), min(height, box.y1 + CROP_MARGIN)
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise Unreadable("no such box", f"{box} on a page of {width:g} x {height:g} points")
    scale = min(dpi / 72, (max_pixels / ((x1 - x0) * (y1 - y0))) ** 0.5)
    crop = x0, height - y1, width - x1, y0  # what is cut off: left, bottom, right, top
    image: Image = page.render(scale=scale, crop=crop).to_pil()
    return image


def _bytes(original: OriginalFile) -> bytes:
    data = original.file.read_bytes()
    if hashlib.sha256(data).hexdigest() != original.sha256:
        raise Unreadable("file changed", "it is not the one that was read at first")
    return data


def _png(image: "Image", max_pixels: int) -> bytes:
    """The image as PNG, made smaller where it has more than `max_pixels`."""
    width, height = image.size
    if width * height > max_pixels:
        factor = (max_pixels / (width * height)) ** 0.5
        image = image.resize((max(1, int(width * factor)), max(1, int(height * factor))))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
