"""The words of a PDF page, each with its place, its baseline and its type.

PDFium's raw functions are called, one for each value: the convenient ones of pypdfium2 take several
times as long.
"""

import ctypes
import math
import re
from collections.abc import Iterator
from typing import Any

from synthmill.sources.documents.pdf.page_content import SCRIPT_SIZE, PageFrame, Word
from synthmill.sources.reading.files import clean

MAX_CHARS = 200_000  # ours: characters read of a page; a dense one of a newspaper has 20,000
ANGLE = 5.0  # ours: degrees by which text may be tilted and still counts as straight

# A hyphen that PDFium found at the end of a line joins two words of its text.
_WORD = re.compile("[^\\s\x02\ufffe]+[\x02\ufffe]?")
# Marks of footnotes that stand close to a word.
_CLOSING_MARK = re.compile(r"(?<=[^\W\d]|[.,;:!?)\]”’\"'])(?:\d{1,3}|[*†‡§¶]{1,3})$")
_OPENING_MARK = re.compile(r"(?:\d{1,3}|[*†‡§¶]{1,3})(?=[^\W\d])")
_HYPHENS = str.maketrans({"\x02": "-", "\ufffe": "-", "\u00ad": "-"})
_SUBSET = re.compile(r"^[A-Z]{6}\+")


def angled_words(page: Any, frame: PageFrame) -> Iterator[tuple[int | None, Word]]:
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
    if not (_maybe_mark(text[end - 1]) or _maybe_mark(text[start])):
        return end
    closing = _CLOSING_MARK.search(text, start, end)
    if closing and reader.size(closing.start()) < SCRIPT_SIZE * reader.size(start):
        return closing.start()
    opening = _OPENING_MARK.match(text, start, end)
    if opening and reader.size(start) < SCRIPT_SIZE * reader.size(opening.end()):
        return opening.end()
    return end


def _maybe_mark(letter: str) -> bool:
    return letter.isdigit() or letter in "*†‡§¶"


class _WordReader:
    """Reads where characters are and what type they are in."""

    def __init__(self, raw: Any, frame: PageFrame) -> None:
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
        shown = text if text.isascii() and text[-1] != "\x02" else clean(text.translate(_HYPHENS))
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
