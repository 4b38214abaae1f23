"""What is on a page of a PDF: words with their type, ruled lines, drawings, images.

Everything is read by pypdfium2's raw functions, which cost one call a value: the convenient ones
take several times as long. Coordinates are points on the page as it is shown, from its top left.
"""

import ctypes
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.reading.files import clean

MAX_CHARS = 200_000  # ours: characters read of a page; a dense one of a newspaper has 20,000
MAX_OBJECTS = 20_000  # ours: objects of a page looked at for drawings; maps have more
MAX_FORM_DEPTH = 4  # ours: forms within forms
MAX_SEGMENTS = 400  # ours: a path with more is a drawing and no grid of rules
RULE_WIDTH = 3.0  # ours: points; a thicker box is an area, not a line
MIN_RULE = 6.0  # ours: points; shorter lines are parts of drawings or of letters
PAGE_FORM = 0.6  # ours: a form that covers more of the page holds the page itself
SCRIPT_SIZE = 0.82  # ours: superscripts are in type smaller than this share of the word's
ANGLE = 5.0  # ours: degrees by which text may be tilted and still counts as straight

# A hyphen that PDFium found at the end of a line joins two words of its text.
_WORD = re.compile("[^\\s\x02\ufffe]+[\x02\ufffe]?")
# Marks of footnotes that stand close to a word.
_CLOSING_MARK = re.compile(r"(?<=[^\W\d]|[.,;:!?)\]”’\"'])(?:\d{1,3}|[*†‡§¶]{1,3})$")
_OPENING_MARK = re.compile(r"(?:\d{1,3}|[*†‡§¶]{1,3})(?=[^\W\d])")
_HYPHENS = str.maketrans({"\x02": "-", "\ufffe": "-", "\u00ad": "-"})
_SUBSET = re.compile(r"^[A-Z]{6}\+")


class Word(NamedTuple):
    """Characters without a space between them.

    `baseline` is the y on which they stand, `size` that of the type in points, `font` its name.
    `glued`: no space parts it from the word before, as a superscript that was cut off.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    size: float
    font: str = ""
    glued: bool = False


class Rule(NamedTuple):
    """A straight line along the page: at `place`, from `start` to `end` on the other axis."""

    horizontal: bool
    place: float
    start: float
    end: float


@dataclass
class PageContent:
    """The content of a page. `turn` is by how much its text was turned to be upright.

    `words` are in the upright frame; `aside` is text at another angle (a stamp in the margin).
    """

    width: float
    height: float
    words: list[Word] = field(default_factory=list)
    aside: list[Word] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    drawings: list[BoundingBox] = field(default_factory=list)
    images: list[BoundingBox] = field(default_factory=list)
    turn: int = 0

    def shown(self, box: BoundingBox) -> BoundingBox:
        """A box of the upright frame as it lies on the page as it is shown."""
        upright = BoundingBox(*(round(value, 2) for value in box))
        return turned(upright, self.width, self.height, -self.turn % 360)


def turned(box: BoundingBox, width: float, height: float, turn: int) -> BoundingBox:
    """A box on a page of that size, after the page was turned clockwise by `turn` degrees."""
    x0, y0, x1, y1 = box
    if turn == 90:
        return BoundingBox(height - y1, x0, height - y0, x1)
    if turn == 180:
        return BoundingBox(width - x1, height - y1, width - x0, height - y0)
    if turn == 270:
        return BoundingBox(y0, width - x1, y1, width - x0)
    return box


class _Frame:
    """Turns user space of a page, whose origin is below, into the page as it is shown."""

    def __init__(self, page: Any) -> None:
        # Not the crop box: pypdfium2 does not see one that is inherited from the page's parent.
        self.left, self.bottom, self.right, self.top = page.get_bbox()
        self.turn = page.get_rotation()

    def box(self, x0: float, y0: float, x1: float, y1: float) -> BoundingBox:
        plain = BoundingBox(x0 - self.left, self.top - y1, x1 - self.left, self.top - y0)
        return turned(plain, self.right - self.left, self.top - self.bottom, self.turn)


def read_page(page: Any, drawings: bool = True) -> PageContent:
    """The content of a page of pypdfium2; without `drawings`, its text alone."""
    frame = _Frame(page)
    width, height = page.get_size()
    content = PageContent(width, height)
    angled = list(_angled_words(page, frame))
    if drawings:
        _read_drawings(page, frame, content)
    counts: dict[int | None, int] = {}
    for angle, word in angled:
        counts[angle] = counts.get(angle, 0) + len(word.text)
    straight = {angle: count for angle, count in counts.items() if angle is not None}
    main = max(straight, key=straight.__getitem__) if straight else 0
    content.words = [word for angle, word in angled if angle == main]
    content.aside = [word for angle, word in angled if angle != main]
    if main:
        _make_upright(content, main)
    return content


def _make_upright(content: PageContent, angle: int) -> None:
    """Turn everything so that text written at `angle` (clockwise) runs from left to right."""
    content.turn = -angle % 360
    width, height = content.width, content.height

    def upright(box: BoundingBox) -> BoundingBox:
        return turned(box, width, height, content.turn)

    content.words = [
        w._replace(**upright(BoundingBox(*w[1:5]))._asdict(), baseline=0.0) for w in content.words
    ]
    content.words = [w._replace(baseline=w.y1) for w in content.words]
    content.drawings = [upright(box) for box in content.drawings]
    content.images = [upright(box) for box in content.images]
    rules = content.rules
    content.rules = []
    for rule in rules:
        box = BoundingBox(rule.start, rule.place, rule.end, rule.place)
        if not rule.horizontal:
            box = BoundingBox(rule.place, rule.start, rule.place, rule.end)
        _add_rule(content, upright(box))
    if content.turn in (90, 270):
        content.width, content.height = height, width


def _angled_words(page: Any, frame: _Frame) -> Iterator[tuple[int | None, Word]]:
    """The words of a page with the angle they are written at; None for a tilted one."""
    textpage = page.get_textpage()
    text = _characters(textpage)
    reader = _WordReader(textpage.raw, frame)
    for found in _WORD.finditer(text):
        start, end = found.span()
        cut = _script_cut(text, start, end, reader)
        for first, last in ((start, cut), (cut, end)):
            word = reader.word(text[first:last], first) if first < last else None
            if word is not None:
                yield reader.angle, word._replace(glued=first > start)
    textpage.close()


def _script_cut(text: str, start: int, end: int, reader: "_WordReader") -> int:
    """Where a superscript begins or ends that no space parts from its word; `end` for none."""
    closing = _CLOSING_MARK.search(text, start, end)
    if closing and reader.size(closing.start()) < SCRIPT_SIZE * reader.size(start):
        return closing.start()
    opening = _OPENING_MARK.match(text, start, end)
    if opening and reader.size(start) < SCRIPT_SIZE * reader.size(opening.end()):
        return opening.end()
    return end


class _WordReader:
    """Reads where characters are and what type they are in."""

    def __init__(self, raw: Any, frame: _Frame) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        self._raw = raw
        self._frame = frame
        self._values = [ctypes.c_double() for _ in range(4)]
        self._places = tuple(map(ctypes.byref, self._values))
        self._matrix = pdfium.FS_MATRIX()
        self._fonts = _FontNames(raw)
        self._last_size = -1.0
        self.angle: int | None = 0  # of the last word, clockwise on the page as it is shown

    def size(self, at: int) -> float:
        """The size of the type of a character, in points."""
        self._pdfium.FPDFText_GetMatrix(self._raw, at, self._matrix)
        size = self._pdfium.FPDFText_GetFontSize(self._raw, at)
        return float(size * math.hypot(self._matrix.c, self._matrix.d))

    def word(self, text: str, start: int) -> Word | None:
        """The characters from an index on as a word; None where they have no place."""
        pdfium, raw, values = self._pdfium, self._raw, self._values
        left, top, right, bottom = self._places
        count = pdfium.FPDFText_CountRects(raw, start, len(text))
        if count < 1 or not pdfium.FPDFText_GetRect(raw, 0, left, top, right, bottom):
            return None
        x0, y1, x1, y0 = (value.value for value in values)
        for at in range(1, count):
            pdfium.FPDFText_GetRect(raw, at, left, top, right, bottom)
            x0, y0 = min(x0, values[0].value), min(y0, values[3].value)
            x1, y1 = max(x1, values[2].value), max(y1, values[1].value)
        size, matrix = self.size(start), self._matrix
        angle = math.degrees(math.atan2(-matrix.b, matrix.a)) if matrix.b else 0.0
        quarter = round(angle / 90)
        straight = abs(angle - 90 * quarter) <= ANGLE
        self.angle = (90 * quarter + self._frame.turn) % 360 if straight else None
        pdfium.FPDFText_GetCharOrigin(raw, start, left, top)
        x, y = values[0].value, values[1].value
        if size != self._last_size:
            self._fonts.changed()
            self._last_size = size
        shown = clean(text.translate(_HYPHENS))
        box, origin = self._frame.box(x0, y0, x1, y1), self._frame.box(x, y, x, y)
        return Word(shown, *box, origin.y0, round(size, 2), self._fonts.of(start))


def _characters(textpage: Any) -> str:
    """The characters of a page, one for each index that the other functions take."""
    import pypdfium2.raw as pdfium

    count = min(textpage.count_chars(), MAX_CHARS)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(textpage.raw, 0, count, buffer)
    if written == count + 1:
        units = bytes(memoryview(buffer).cast("B")[: 2 * count])
        text = units.decode("utf-16-le", "surrogatepass")
        if len(text) == count:
            return text
    get = pdfium.FPDFText_GetUnicode
    return "".join(_character(get(textpage.raw, at)) for at in range(count))


def _character(code: int) -> str:
    return chr(code) if 0 < code < 0x110000 else "\ufffd"


class _FontNames:
    """The name of the font at a character, asked for again when text object or size changes."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw
        self._buffer = ctypes.create_string_buffer(128)
        self._object: int | None = None
        self._name = ""

    def changed(self) -> None:
        self._object = None

    def of(self, index: int) -> str:
        import pypdfium2.raw as pdfium

        found = pdfium.FPDFText_GetTextObject(self._raw, index)
        address = ctypes.cast(found, ctypes.c_void_p).value
        if address is None or address != self._object:
            self._object = address
            size = pdfium.FPDFText_GetFontInfo(self._raw, index, self._buffer, 128, None)
            name = self._buffer.raw[: max(0, min(size, 128) - 1)].decode("latin-1")
            self._name = _SUBSET.sub("", name)
        return self._name


def _read_drawings(page: Any, frame: _Frame, content: PageContent) -> None:
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
    found: Any, box: BoundingBox, matrix: tuple[float, ...], frame: _Frame, content: PageContent
) -> None:
    """A path as rules, where it consists of straight lines along the page; else as a drawing."""
    import pypdfium2.raw as pdfium

    if min(box.x1 - box.x0, box.y1 - box.y0) <= RULE_WIDTH:
        _add_rule(content, box)
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
        _add_rule(content, line)


def _line(a: tuple[float, float], b: tuple[float, float]) -> BoundingBox:
    return BoundingBox(min(a[0], b[0]), min(a[1], b[1]), max(a[0], b[0]), max(a[1], b[1]))


def _add_rule(content: PageContent, box: BoundingBox) -> None:
    width, height = box.x1 - box.x0, box.y1 - box.y0
    if width >= height and width >= MIN_RULE:
        content.rules.append(Rule(True, (box.y0 + box.y1) / 2, box.x0, box.x1))
    elif height > width and height >= MIN_RULE:
        content.rules.append(Rule(False, (box.x0 + box.x1) / 2, box.y0, box.y1))
    elif width or height:
        content.drawings.append(box)
