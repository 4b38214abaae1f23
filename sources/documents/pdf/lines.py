"""Words of a page as lines of text, split where a gap is wider than between words.

All constants are ours, in units of the size of type unless stated otherwise.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cached_property
from statistics import median
from typing import NamedTuple

from synthmill.sources.documents.elements import BoundingBox, union_of
from synthmill.sources.documents.pdf.page_content import SCRIPT_SIZE, Word

SAME_BASELINE = 0.25  # words whose baselines differ by less stand on one line
SCRIPT_GAP = 0.6  # superscripts are no further from a word of the line
MARK_GAP = 2.0  # and the mark that begins a footnote, from its first word
SPLIT_GAP = 1.0  # a wider gap separates columns or cells
NUMBER_WIDTH = 4  # characters of a bullet or number, which no gap parts from its item

ASCENT = 0.75  # the height of letters above the baseline

_MARK = re.compile(r"\d{1,3}|[*†‡§¶]{1,3}")
_BOLD = re.compile(r"bold|black|heavy|cmbx|demi|-bx?$|sfbx|ptmb|phvb", re.IGNORECASE)
_ITALIC = re.compile(r"ital|obli|cmti|cmsl", re.IGNORECASE)
MONO = re.compile(
    r"mono|nimbusmon|courier|cmtt|lmtt|typewriter|consol|menlo|sftt|fixed", re.IGNORECASE
)
BULLET = re.compile(r"[•◦▪▸▶➢‣●○■□–—*·\-]|\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})[.)]|\[\d{1,3}\]")


class TextLine:
    """A run of words on one baseline, from left to right, or from right to left."""

    def __init__(self, words: Sequence[Word]) -> None:
        foreign = [word.text for word in words if not word.text.isascii()]
        rtl = sum(len(text) for text in foreign if _right_to_left(text))
        self.rtl = bool(rtl) and 2 * rtl > sum(len(word.text) for word in words)
        self.words = sorted(words, key=lambda w: -w.x1 if self.rtl else w.x0)
        self.box = BoundingBox(
            min(w.x0 for w in words),
            min(w.y0 for w in words),
            max(w.x1 for w in words),
            max(w.y1 for w in words),
        )
        self.size, self.baseline = words[0].size, words[0].baseline
        if any(w.size != self.size or w.baseline != self.baseline for w in words):
            self.size = median(w.size for w in words for _ in w.text[:8])
            on_line = [w.baseline for w in words if w.size > SCRIPT_SIZE * self.size]
            self.baseline = median(on_line or [w.baseline for w in words])

    @cached_property
    def text(self) -> str:
        """The words, with spaces between them; a mark above the line stands close to its word."""
        return self._joined[0]

    @cached_property
    def marks(self) -> list[tuple[int, str]]:
        """Superscripts: their offsets in the text, and what they are."""
        return self._joined[1]

    @cached_property
    def _joined(self) -> tuple[str, list[tuple[int, str]]]:
        text, marks = "", list[tuple[int, str]]()
        last: Word | None = None
        for word in self.words:
            near = last is not None and 0.2 * self.size > word.x0 - last.x1 > -self.size
            raised = self.is_raised(word)
            after_mark = last is not None and self.is_raised(last)
            glued = word.glued or (near and (raised or after_mark))
            text += "" if last is None or glued else " "
            if raised:
                marks.append((len(text), word.text))
            text += word.text
            last = word
        return text, marks

    def is_raised(self, word: Word) -> bool:
        """Whether a word is a superscript."""
        small = word.size < SCRIPT_SIZE * self.size
        return small and self.baseline - word.baseline > 0.1 * self.size

    @cached_property
    def bold(self) -> bool:
        """Whether most of it is in bold type."""
        return self._share(_BOLD) > 0.6

    @cached_property
    def italic(self) -> bool:
        """Whether most of it is in italic type."""
        return self._share(_ITALIC) > 0.6

    @cached_property
    def mono(self) -> bool:
        """Whether most of it is in type of one width, as code is."""
        return self._share(MONO) > 0.8

    @property
    def top(self) -> float:
        """The top of its type, whatever letters it has."""
        return min(self.box.y0, self.baseline - 0.7 * self.size)

    @property
    def bottom(self) -> float:
        """The bottom of its type, whatever letters it has."""
        return max(self.box.y1, self.baseline + 0.2 * self.size)

    def _share(self, pattern: re.Pattern[str]) -> float:
        fonts = {w.font for w in self.words}
        is_it = {font for font in fonts if pattern.search(font)}
        if len(is_it) in (0, len(fonts)):
            return float(bool(is_it))
        found = sum(len(w.text) for w in self.words if w.font in is_it)
        return found / sum(len(w.text) for w in self.words)


class TextRow(NamedTuple):
    """The lines at one height of a page, from left to right."""

    lines: tuple[TextLine, ...]

    @property
    def box(self) -> BoundingBox:
        """The box around all."""
        return around(line.box for line in self.lines)


def text_rows(words: Sequence[Word], split: float = SPLIT_GAP) -> list[TextRow]:
    """The rows of a page from top to bottom, each split into lines at wide gaps."""
    return [TextRow(tuple(_split(row, split))) for row in _baselines(words)]


def around(boxes: Iterable[BoundingBox]) -> BoundingBox:
    """The box around boxes, of which there is at least one."""
    found = union_of(list(boxes))
    assert found is not None
    return found


def _baselines(words: Sequence[Word]) -> list[list[Word]]:
    """Words grouped by the baseline they stand on, with superscripts in the line they belong to."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda w: (w.baseline, w.x0)):
        last = rows[-1][-1] if rows else None
        if last is not None and word.baseline - last.baseline <= SAME_BASELINE * min(
            word.size, last.size
        ):
            rows[-1].append(word)
        else:
            rows.append([word])
    sizes = [median(w.size for w in row) for row in rows]
    out: list[list[Word]] = [[] for _ in rows]
    for at, row in enumerate(rows):
        for word in row:
            out[_home(word, at, rows, sizes)].append(word)
    return sorted(filter(None, out), key=lambda row: median(w.baseline for w in row))


def _home(word: Word, at: int, rows: list[list[Word]], sizes: list[float]) -> int:
    """The row that a word belongs to: another one for a superscript or subscript."""
    for other in (at + 1, at - 1, at + 2, at - 2):
        if not 0 <= other < len(rows) or word.size >= SCRIPT_SIZE * sizes[other]:
            continue
        size = sizes[other]
        for neighbor in rows[other]:
            over = word.y0 < neighbor.y1 and neighbor.baseline - ASCENT * size < word.y1
            if over and -size < word.x0 - neighbor.x1 < SCRIPT_GAP * size:
                return other
            gap = MARK_GAP if _MARK.fullmatch(word.text) else SCRIPT_GAP
            if over and -size < neighbor.x0 - word.x1 < gap * size:
                return other
    return at


def _split(row: list[Word], split: float) -> list[TextLine]:
    row.sort(key=lambda w: w.x0)
    runs = [[row[0]]]
    reach = row[0].x1
    for word in row[1:]:
        last = runs[-1][-1]
        wide = word.x0 - reach > split * max(last.size, word.size)
        reach = max(reach, word.x1) if not wide else word.x1
        if wide and not _begins_line(runs[-1], word):
            runs.append([word])
        else:
            runs[-1].append(word)
    return [TextLine(run) for run in runs]


def _begins_line(run: list[Word], word: Word) -> bool:
    """Whether a run is a bullet, number or mark that a word follows after a gap."""
    first = run[0]
    if len(run) > 1 or len(first.text) > NUMBER_WIDTH or word.x0 - first.x1 > 3 * word.size:
        return False
    mark = _MARK.fullmatch(first.text) and first.size < SCRIPT_SIZE * word.size
    return bool(mark or BULLET.fullmatch(first.text))


def _right_to_left(text: str) -> bool:
    first = next((c for c in text if c.isalpha()), "")
    return bool(first) and first > "\u0590" and unicodedata.bidirectional(first) in ("R", "AL")
