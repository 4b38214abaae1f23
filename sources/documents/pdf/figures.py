"""Figures of a page: images, and drawings that belong together, with the labels in and around them.

All constants are ours, in points unless stated otherwise.
"""

from collections.abc import Sequence

from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.documents.pdf.lines import TextLine, around
from synthmill.sources.documents.pdf.page_content import PageContent

MIN_SIDE = 24.0  # smaller ones are icons, bullets, letters
STEP = 6.0  # drawings this close belong together
MAX_STEPS = 250  # along a side of the page
PAGE_SHARE = 0.9  # of the page: such an image is a scan or a background
PANEL_PARTS = 4  # an area of no more parts, with words in it, is a frame or a background
PANEL_WORDS = 3
LABEL_WORDS = 4  # labels of axes and parts are no longer
LABEL_GAP = 12.0  # and no further away


def figure_boxes(content: PageContent, taken: Sequence[BoundingBox]) -> list[BoundingBox]:
    """The boxes of figures outside of `taken` (the tables of the page), without their labels."""
    page = content.width * content.height
    parts = [box for box in (*content.drawings, *content.images) if _area(box) < PAGE_SHARE * page]
    parts = [box for box in parts if not any(_inside(box, table) for table in taken)]
    if not parts:
        return []
    rules = [
        BoundingBox(r.start, r.place, r.end, r.place)
        if r.horizontal
        else BoundingBox(r.place, r.start, r.place, r.end)
        for r in content.rules
    ]
    free = [box for box in rules if not any(_inside(box, table) for table in taken)]
    found = []
    for group, drawn in _clusters(parts, free, content):
        box = around(group)
        wide = box.x1 - box.x0 >= MIN_SIDE and box.y1 - box.y0 >= MIN_SIDE
        if wide and not _is_panel(box, drawn, content):
            found.append(box)
    return found


def with_labels(
    box: BoundingBox, lines: Sequence[TextLine], blocked: Sequence[TextLine]
) -> tuple[BoundingBox, list[TextLine]]:
    """A figure's box with the short lines in and around it, and those lines.

    Lines in `blocked` (captions) are left alone.
    """
    inside: list[TextLine] = []
    kept = {id(line) for line in blocked}
    for _ in range(2):
        for line in lines:
            if id(line) in kept:
                continue
            short = len(line.words) <= LABEL_WORDS and line.size * len(line.text) < 160
            if _middle_in(line.box, box, 0) or (short and _middle_in(line.box, box, LABEL_GAP)):
                inside.append(line)
                kept.add(id(line))
        box = around([box, *(line.box for line in inside)])
    return box, inside


def _is_panel(box: BoundingBox, drawn: int, content: PageContent) -> bool:
    """Whether an area is the background or the frame of running text."""
    if drawn > PANEL_PARTS or any(_inside(image, box) for image in content.images):
        return False
    words = sum(_middle_in(BoundingBox(*w[1:5]), box, 0) for w in content.words)
    return words >= PANEL_WORDS


def _clusters(
    parts: Sequence[BoundingBox], rules: Sequence[BoundingBox], content: PageContent
) -> list[tuple[list[BoundingBox], int]]:
    """Boxes that are close to each other, through others; with the number of drawings in each.

    Boxes are entered into a coarse grid of the page, whose connected fields are the clusters: that
    takes linear time, and pages hold ten thousands of drawings.
    """
    step = max(STEP, max(content.width, content.height) / MAX_STEPS)
    fields: dict[tuple[int, int], list[int]] = {}
    boxes = [*parts, *rules]
    for at, box in enumerate(boxes):
        for x in range(int(box.x0 / step), int(box.x1 / step) + 1):
            for y in range(int(box.y0 / step), int(box.y1 / step) + 1):
                fields.setdefault((x, y), []).append(at)
    clusters = []
    done: set[tuple[int, int]] = set()
    for start in fields:
        if start in done:
            continue
        done.add(start)
        waiting, members = [start], set[int]()
        while waiting:
            x, y = waiting.pop()
            members.update(fields[x, y])
            for near in ((x + dx, y + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)):
                if near in fields and near not in done:
                    done.add(near)
                    waiting.append(near)
        drawn = sum(at < len(parts) for at in members)
        if drawn:
            clusters.append(([boxes[at] for at in members], drawn))
    return clusters


def _area(box: BoundingBox) -> float:
    return (box.x1 - box.x0) * (box.y1 - box.y0)


def _inside(box: BoundingBox, other: BoundingBox) -> bool:
    return _middle_in(box, other, 1)


def _middle_in(box: BoundingBox, other: BoundingBox, margin: float) -> bool:
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return (
        other.x0 - margin <= x <= other.x1 + margin and other.y0 - margin <= y <= other.y1 + margin
    )
