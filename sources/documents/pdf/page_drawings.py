"""The lines, drawings and images of a PDF page, read by PDFium's raw functions."""

import ctypes
import math
from collections.abc import Callable
from typing import Any

from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.documents.pdf.page_content import PageContent, PageFrame, Rule

MAX_OBJECTS = 20_000  # ours: objects of a page looked at for drawings; maps have more
MAX_FORM_DEPTH = 4  # ours: forms within forms
MAX_SEGMENTS = 400  # ours: a path with more is a drawing and no grid of rules
RULE_WIDTH = 3.0  # ours: points; a thicker box is an area, not a line
MIN_RULE = 6.0  # ours: points; shorter lines are parts of drawings or of letters
PAGE_FORM = 0.6  # ours: a form that covers more of the page holds the page itself


def read_drawings(page: Any, frame: PageFrame, content: PageContent) -> None:
    """Put the rules, drawings and images of a page of pypdfium2 into its content."""
    import pypdfium2.raw as pdfium

    area = content.width * content.height
    corners = [ctypes.c_float() for _ in range(4)]
    places = list(map(ctypes.byref, corners))
    seen = 0
    top = page.raw
    waiting: list[tuple[Callable[[int], Any], int, tuple[float, ...], int]]
    waiting = [
        (
            lambda at: pdfium.FPDFPage_GetObject(top, at),
            pdfium.FPDFPage_CountObjects(top),
            (1.0, 0.0, 0.0, 1.0, 0.0, 0.0),
            0,
        )
    ]
    while waiting:
        get, count, matrix, depth = waiting.pop()
        for at in range(count):
            seen += 1
            if seen > MAX_OBJECTS:
                return
            found = get(at)
            kind = pdfium.FPDFPageObj_GetType(found)
            if kind == pdfium.FPDF_PAGEOBJ_TEXT or kind == pdfium.FPDF_PAGEOBJ_SHADING:
                continue
            if not pdfium.FPDFPageObj_GetBounds(found, *places):
                continue
            bounds = _moved(matrix, *(corner.value for corner in corners))
            box = _clipped(frame.box(*bounds), content.width, content.height)
            if box is None:
                continue
            if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                content.images.append(box)
            elif kind == pdfium.FPDF_PAGEOBJ_PATH:
                _read_path(found, box, matrix, frame, content)
            elif kind == pdfium.FPDF_PAGEOBJ_FORM:
                covers = (box.x1 - box.x0) * (box.y1 - box.y0) > PAGE_FORM * area
                if covers and depth < MAX_FORM_DEPTH:
                    waiting.append(_form(found, matrix, depth))
                else:
                    content.drawings.append(box)


def _form(found: Any, matrix: tuple[float, ...], depth: int) -> Any:
    import pypdfium2.raw as pdfium

    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(found, own)
    inner = _product((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
    count = max(0, pdfium.FPDFFormObj_CountObjects(found))
    return (lambda at: pdfium.FPDFFormObj_GetObject(found, at)), count, inner, depth + 1


def _product(m: tuple[float, ...], n: tuple[float, ...]) -> tuple[float, ...]:
    """The matrix of `m` followed by `n`."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _moved(m: tuple[float, ...], x0: float, y0: float, x1: float, y1: float) -> tuple[float, ...]:
    """The box around a box after a matrix."""
    if m == (1.0, 0.0, 0.0, 1.0, 0.0, 0.0):
        return x0, y0, x1, y1
    points = [
        (m[0] * x + m[2] * y + m[4], m[1] * x + m[3] * y + m[5]) for x in (x0, x1) for y in (y0, y1)
    ]
    xs, ys = zip(*points, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def _clipped(box: BoundingBox, width: float, height: float) -> BoundingBox | None:
    """The part of a box that is on the page; None where there is none."""
    if not all(map(math.isfinite, box)):
        return None
    x0, y0 = max(0.0, box.x0), max(0.0, box.y0)
    x1, y1 = min(width, box.x1), min(height, box.y1)
    return BoundingBox(x0, y0, x1, y1) if x0 <= x1 and y0 <= y1 else None


def _read_path(
    found: Any, box: BoundingBox, matrix: tuple[float, ...], frame: PageFrame, content: PageContent
) -> None:
    """A path as rules, where it consists of straight lines along the page; else as a drawing."""
    import pypdfium2.raw as pdfium

    if min(box.x1 - box.x0, box.y1 - box.y0) <= RULE_WIDTH:
        add_rule(content, box)
        return
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    pdfium.FPDFPath_GetDrawMode(found, fill, stroke)
    count = pdfium.FPDFPath_CountSegments(found)
    if not stroke.value or count > MAX_SEGMENTS or count < 2:
        content.drawings.append(box)
        return
    own = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(found, own)
    total = _product((own.a, own.b, own.c, own.d, own.e, own.f), matrix)
    x, y = ctypes.c_float(), ctypes.c_float()
    last = first = (0.0, 0.0)
    lines: list[BoundingBox] = []
    for at in range(count):
        segment = pdfium.FPDFPath_GetPathSegment(found, at)
        kind = pdfium.FPDFPathSegment_GetType(segment)
        pdfium.FPDFPathSegment_GetPoint(segment, x, y)
        px, py, _, _ = frame.box(*_moved(total, x.value, y.value, x.value, y.value))
        if kind == pdfium.FPDF_SEGMENT_BEZIERTO:
            content.drawings.append(box)
            return
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            first = px, py
        else:
            lines.append(_line(last, (px, py)))
        last = px, py
        if pdfium.FPDFPathSegment_GetClose(segment):
            lines.append(_line(last, first))
            last = first
    if any(min(line.x1 - line.x0, line.y1 - line.y0) > RULE_WIDTH for line in lines):
        content.drawings.append(box)
        return
    if fill.value:  # a bar of a chart, or a colored cell
        content.drawings.append(box)
    for line in lines:
        add_rule(content, line)


def _line(a: tuple[float, float], b: tuple[float, float]) -> BoundingBox:
    return BoundingBox(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))


def add_rule(content: PageContent, box: BoundingBox) -> None:
    """Put a thin box into the rules of a page; a tiny one is part of a drawing."""
    width, height = box.x1 - box.x0, box.y1 - box.y0
    if width >= height and width >= MIN_RULE:
        content.rules.append(Rule(True, (box.y0 + box.y1) / 2, box.x0, box.x1))
    elif height > width and height >= MIN_RULE:
        content.rules.append(Rule(False, (box.x0 + box.x1) / 2, box.y0, box.y1))
    elif width or height:
        content.drawings.append(box)
