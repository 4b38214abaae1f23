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
MAX_FONT_NAME = 128  # ours: bytes
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
    """Reads where characters are and what type they are in.

    All words of one text object have the same type, angle and baseline, which are read once.
    """

    def __init__(self, raw: Any, frame: PageFrame) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        self._raw = raw
        self._frame = frame
        self._values = tuple(ctypes.c_double() for _ in range(4))
        self._places = tuple(map(ctypes.byref, self._values))
        self._matrix = pdfium.FS_MATRIX()
        self._buffer = ctypes.create_string_buffer(MAX_FONT_NAME)
        self._object = 0  # the address of the last word's text object
        self._baseline = self._size = 0.0
        self._font = ""
        self.angle: int | None = 0  # of the last word, clockwise on the page as it is shown

    def size(self, at: int) -> float:
        """The size of the type of a character, in points."""
        self._pdfium.FPDFText_GetMatrix(self._raw, at, self._matrix)
        size = self._pdfium.FPDFText_GetFontSize(self._raw, at)
        return float(size * math.hypot(self._matrix.c, self._matrix.d))

    def word(self, text: str, start: int) -> Word | None:
        """The characters from an index on as a word; None where they have no place."""
        pdfium, raw = self._pdfium, self._raw
        count = pdfium.FPDFText_CountRects(raw, start, len(text))
        if count < 1 or not pdfium.FPDFText_GetRect(raw, 0, *self._places):
            return None
        left, top, right, bottom = self._values
        x0, y1, x1, y0 = left.value, top.value, right.value, bottom.value
        for at in range(1, count):
            pdfium.FPDFText_GetRect(raw, at, *self._places)
            x0, y0 = min(x0, left.value), min(y0, bottom.value)
            x1, y1 = max(x1, right.value), max(y1, top.value)
        found = pdfium.FPDFText_GetTextObject(raw, start)
        address = ctypes.addressof(found.contents) if found else 0
        if not address or address != self._object:
            self._object = address
            self._read_type(start)
        shown = text if text.isascii() and text[-1] != "\x02" else clean(text.translate(_HYPHENS))
        box = self._frame.box(x0, y0, x1, y1)
        baseline = self._baseline if self.angle == 0 else box.y1
        return Word(shown, *box, baseline, self._size, self._font)

    def _read_type(self, start: int) -> None:
        """Read type, angle and baseline of a text object at one of its characters."""
        pdfium, raw, matrix = self._pdfium, self._raw, self._matrix
        self._size = round(self.size(start), 2)
        angle = math.degrees(math.atan2(-matrix.b, matrix.a)) if matrix.b else 0.0
        quarter = round(angle / 90)
        straight = abs(angle - 90 * quarter) <= ANGLE
        self.angle = (90 * quarter + self._frame.turn) % 360 if straight else None
        pdfium.FPDFText_GetCharOrigin(raw, start, *self._places[:2])
        x, y = self._values[0].value, self._values[1].value
        self._baseline = self._frame.box(x, y, x, y).y0
        size = pdfium.FPDFText_GetFontInfo(raw, start, self._buffer, MAX_FONT_NAME, None)
        name = self._buffer.raw[: max(0, min(size, MAX_FONT_NAME) - 1)].decode("latin-1")
        self._font = _SUBSET.sub("", name)


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
