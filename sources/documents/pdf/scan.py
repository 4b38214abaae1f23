"""Scanned pages: an image of the page, read by an OCR engine, as words with type and baseline.

All constants are ours.
"""

import io
from collections.abc import Sequence
from statistics import median
from typing import Any

from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.documents.ocr.base import MAX_OCR_PIXELS, TextPiece, read_text
from synthmill.sources.documents.pdf.page_content import PageContent, Word
from synthmill.sources.documents.pictures import render

SCAN_IMAGE = 0.5  # of the page; a page without text under so large an image is a scan
OCR_DPI = 200.0  # the engines' best on 10-point type
ASCENT = 0.7  # height of capitals over the size of type: 0.66 in Times, 0.72 in Helvetica
SAME_SIZE = 0.13  # sizes that differ by less are taken for one: boxes are a pixel or two off
OVERLAP = 0.5  # of the lower height: pieces of one line share so much

_DESCENDERS = frozenset("gjpqyQ,;()[]{}|/_$§@")


def is_scan(content: PageContent) -> bool:
    """Whether a page has no text and an image over most of it."""
    page = content.width * content.height
    large = any((b.x1 - b.x0) * (b.y1 - b.y0) >= SCAN_IMAGE * page for b in content.images)
    return large and not content.words and not content.aside


def read_scan(page: Any, content: PageContent, engine: str) -> None:
    """Put the words that an OCR engine reads on a page of pypdfium2 into its content."""
    image = render(page, None, OCR_DPI, MAX_OCR_PIXELS)
    scale = content.width / image.width
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    pieces = [
        TextPiece(piece.text, *(round(v * scale, 2) for v in piece[1:5]))
        for piece in read_text(engine, file.getvalue())
        if piece.height > 0
    ]
    lines = [_line(pieces_of) for pieces_of in _lines(pieces)]
    sizes = [line[0].size for line in lines for _ in line]
    for line in lines:
        content.words += [word._replace(size=_common(word.size, sizes)) for word in line]
    content.images = []


def _lines(pieces: Sequence[TextPiece]) -> list[list[TextPiece]]:
    """Pieces grouped into lines; those of two columns may come together, which does no harm."""
    lines: list[list[TextPiece]] = []
    for piece in sorted(pieces, key=lambda p: p.y0 + p.y1):
        if lines:
            top, bottom = median(p.y0 for p in lines[-1]), median(p.y1 for p in lines[-1])
            shared = min(bottom, piece.y1) - max(top, piece.y0)
            if shared > OVERLAP * min(bottom - top, piece.height):
                lines[-1].append(piece)
                continue
        lines.append([piece])
    return lines


def _line(pieces: Sequence[TextPiece]) -> list[Word]:
    """The words of a line, on the baseline of those whose letters all stand on it."""
    standing = [p.y1 for p in pieces if not _DESCENDERS.intersection(p.text)]
    height = median(p.height for p in pieces)
    baseline = median(standing) if standing else median(p.y1 for p in pieces) - 0.22 * height
    tops = [
        p.y0 for p in pieces if any(c.isupper() or c.isdigit() or c in "bdfhkl" for c in p.text)
    ]
    size = (baseline - median(tops)) / ASCENT if tops else height
    words = [word for p in pieces for word in _words(p)]
    return [word._replace(baseline=baseline, size=max(size, 1.0)) for word in words]


def _is_high(letter: str) -> bool:
    """Whether a letter reaches as high as capitals do."""
    return letter.isupper() or letter.isdigit() or letter in "bdfhkl"


def _words(piece: TextPiece) -> list[Word]:
    """The words of a piece, placed by their share of its characters."""
    words = []
    width = (piece.x1 - piece.x0) / max(1, len(piece.text))
    place = 0
    for part in piece.text.split():
        place = piece.text.index(part, place)
        box = BoundingBox(
            piece.x0 + place * width, piece.y0, piece.x0 + (place + len(part)) * width, piece.y1
        )
        place += len(part)
        words.append(Word(part, *box, piece.y1, 0.0))
    return words


def _common(size: float, sizes: Sequence[float]) -> float:
    """The median of the sizes that are about as large."""
    return round(median(s for s in sizes if abs(s - size) <= SAME_SIZE * size), 1)
