"""The text layer of a PDF page as pieces with boxes, as OCR engines give them."""

import hashlib
from pathlib import Path

from synthmill.sources.documents.ocr.base import TextPiece

MAX_RUNS = 20_000  # ours: runs of text read of a page


def text_layer(path: str, sha256: str, number: int) -> list[TextPiece]:
    """The runs of text on a page of a PDF file, numbered from 1; runs in a worker.

    Boxes are in points, as the page is shown. `sha256` is the hash that the file had when it was
    first read.

    Raises:
        OSError: the file has changed or cannot be read.
    """
    import pypdfium2

    data = Path(path).read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise OSError("the file is not the one that was read at first")
    try:
        shown = pypdfium2.PdfDocument(data)[number - 1]
        layer = shown.get_textpage()
        left, bottom, right, top = shown.get_bbox()
        turn = shown.get_rotation()
        pieces = []
        for at in range(min(layer.count_rects(), MAX_RUNS)):
            x0, y0, x1, y1 = layer.get_rect(at)
            text = " ".join(layer.get_text_bounded(x0, y0, x1, y1).split())
            box = x0 - left, top - y1, x1 - left, top - y0
            if text:
                pieces.append(TextPiece(text, *_turned(box, right - left, top - bottom, turn)))
        return pieces
    except pypdfium2.PdfiumError as error:
        raise OSError(f"unreadable PDF: {error}") from error


def _turned(
    box: tuple[float, float, float, float], width: float, height: float, turn: int
) -> tuple[float, float, float, float]:
    """A box of a page that is shown turned by so many degrees, clockwise."""
    x0, y0, x1, y1 = box
    if turn == 90:
        return height - y1, x0, height - y0, x1
    if turn == 180:
        return width - x1, height - y1, width - x0, height - y0
    if turn == 270:
        return y0, width - x1, y1, width - x0
    return box
