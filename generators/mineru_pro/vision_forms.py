r"""The output forms of vision-language models that parse pages, read into elements.

- MinerU2.5 (its client, mineru-vl-utils): layout tokens with boxes of 0 to 1000, then for each
  region the text, OTSL tokens, or LaTeX in ``\[ \]``.
- PaddleOCR-VL: element recognition alone, tables in OTSL.
- Qwen3-VL ("QwenVL HTML"): HTML whose elements have ``data-bbox="x0 y0 x1 y1"``, of 0 to 1000.
"""

import re
from html import escape
from html.parser import HTMLParser

from synthmill.generators.mineru_pro.records import Kind, PageElement
from synthmill.rewards.document_tables import otsl_to_html, parse_table, table_html
from synthmill.rewards.documents import Region, parse_layout

GRID = 1000.0
MAX_REGIONS = 300  # ours: regions read of one answer
# Categories of MinerU2.5's layout; the others (headers, page numbers ...) are no content.
CATEGORIES: dict[str, Kind] = {
    "title": "title",
    "text": "text",
    "ref_text": "text",
    "list": "text",
    "code": "text",
    "algorithm": "text",
    "table_caption": "text",
    "image_caption": "text",
    "table_footnote": "text",
    "image_footnote": "text",
    "table": "table",
    "equation": "formula",
    "image": "figure",
}
_DELIMITERS = re.compile(r"^\s*(?:\\\[|\$\$|\\\(|\$)(.*?)(?:\\\]|\$\$|\\\)|\$)\s*$", re.DOTALL)
_FENCE = re.compile(r"^\s*```\w*\n(.*?)\n?```\s*$", re.DOTALL)
_VOID = {"br", "img", "hr", "input", "meta", "link", "col"}
_HEADING = re.compile(r"h[1-6]")


def mineru_regions(answer: str, width: float, height: float) -> list[PageElement]:
    """The regions of layout tokens in points, in order, without content."""
    regions = parse_layout(answer)[:MAX_REGIONS]
    return [
        PageElement(kind=CATEGORIES[region.category], box=_in_points(region, width, height))
        for region in regions
        if region.category in CATEGORIES
    ]


def recognized(kind: Kind, answer: str) -> str:
    """The content of an element out of a recognition answer: HTML, LaTeX, or text."""
    fenced = _FENCE.match(answer)
    text = (fenced[1] if fenced else answer).strip()
    if kind == "table":
        return otsl_to_html(text) if parse_table(text).rows else ""
    if kind == "formula":
        found = _DELIMITERS.match(text)
        return (found[1] if found else text).strip()
    return text


def qwen_elements(answer: str, width: float, height: float) -> list[PageElement]:
    """The elements of "QwenVL HTML" in points, in order."""
    fenced = _FENCE.match(answer)
    reader = _BoxedReader()
    reader.feed(fenced[1] if fenced else answer)
    reader.close()
    reader.end()
    found = []
    for tag, classes, box, inner in reader.found[:MAX_REGIONS]:
        kind = _qwen_kind(tag, classes, inner)
        content = ""
        if kind == "table":
            content = table_html(parse_table(inner).rows)
        elif kind != "figure":
            content = recognized(kind, " ".join(_plain(inner).split()))
        region = Region(kind, *box)
        if region.x0 < region.x1 and region.y0 < region.y1:
            box = _in_points(region, width, height)
            found.append(PageElement(kind=kind, box=box, content=content))
    return found


class _BoxedReader(HTMLParser):
    """Collects the outermost elements that have a box: tag, classes, box, inner HTML."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, str, tuple[float, float, float, float], str]] = []
        self._open: tuple[str, str, tuple[float, float, float, float]] | None = None
        self._inner: list[str] = []
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._open is not None:
            self._depth += tag == self._open[0]
            self._inner.append(self.get_starttag_text() or "")
            return
        given = dict(attrs)
        numbers = re.findall(r"-?\d{1,4}(?:\.\d+)?", given.get("data-bbox") or "")
        if len(numbers) == 4:
            x0, y0, x1, y1 = (min(max(float(number), 0.0), GRID) for number in numbers)
            self._open, self._depth = (tag, given.get("class") or "", (x0, y0, x1, y1)), 1
            if tag in _VOID:
                self.end()

    def handle_endtag(self, tag: str) -> None:
        if self._open is None:
            return
        self._depth -= tag == self._open[0]
        if self._depth <= 0:
            self.end()
        else:
            self._inner.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._inner.append(escape(data, quote=False))

    def end(self) -> None:
        """Close the open element."""
        if self._open is not None:
            tag, classes, box = self._open
            table = [f"<{tag}>", *self._inner, f"</{tag}>"] if tag == "table" else self._inner
            self.found.append((tag, classes, box, "".join(table)))
        self._open, self._inner, self._depth = None, [], 0


class _TextReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("br", "p", "div", "li"):
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _plain(inner: str) -> str:
    reader = _TextReader()
    reader.feed(inner)
    reader.close()
    return "".join(reader.parts)


def _qwen_kind(tag: str, classes: str, inner: str) -> Kind:
    if tag == "table" or "table" in classes.split() or "<table" in inner:
        return "table"
    if {"formula", "equation"} & set(classes.split()):
        return "formula"
    if tag == "img" or {"image", "chart", "figure"} & set(classes.split()):
        return "figure"
    return "title" if _HEADING.fullmatch(tag) else "text"


def _in_points(region: Region, width: float, height: float) -> tuple[float, float, float, float]:
    x, y = width / GRID, height / GRID
    return (
        round(region.x0 * x, 1),
        round(region.y0 * y, 1),
        round(region.x1 * x, 1),
        round(region.y1 * y, 1),
    )
