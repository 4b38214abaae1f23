"""Reading a PDF page: its words and drawings, turned so that its text is upright."""

from typing import Any

from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.documents.pdf.page_content import PageContent, PageFrame, turned
from synthmill.sources.documents.pdf.page_drawings import add_rule, read_drawings
from synthmill.sources.documents.pdf.page_words import angled_words


def read_page(page: Any) -> PageContent:
    """The content of a page of pypdfium2."""
    frame = PageFrame(page)
    width, height = page.get_size()
    content = PageContent(width, height)
    angled = list(angled_words(page, frame))
    read_drawings(page, frame, content)
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
        add_rule(content, upright(box))
    if content.turn in (90, 270):
        content.width, content.height = height, width
