"""The reading order of a page: columns one after the other, what spans them in between.

All constants are ours.
"""

from collections.abc import Sequence

import numpy as np

from synthmill.sources.documents.elements import BoundingBox

STEP = 3.0  # points: the resolution at which gutters are looked for
MAX_STEPS = 2000  # along a side; larger pages are looked at more coarsely
GUTTER = 0.9  # sizes of type: the least width of the empty strip between columns
MIN_HEIGHT = 6.0  # sizes of type: columns that are lower are read line by line
MIN_COLUMN = 0.15  # of the page's width: the mean line of a column
TALL = 25.0  # sizes of type: columns higher than this may have short lines, such as terms
MIN_TALL_COLUMN = 0.06
MAX_COLUMN_DEPTH = 3  # halvings: up to eight columns


def reading_order(
    boxes: Sequence[BoundingBox], size: float, width: float, depth: int = 0
) -> list[list[int]]:
    """Groups of places in `boxes`, in reading order; each group is one column, from the top down.

    `size` is that of the type and `width` that of the page.
    """
    order = sorted(range(len(boxes)), key=lambda at: (boxes[at].y0, boxes[at].x0))
    gutter = None
    if depth < MAX_COLUMN_DEPTH and len(boxes) > 3:
        gutter = _gutter([boxes[at] for at in order], size, width)
    if gutter is None:
        return [order] if order else []
    groups: list[list[int]] = [[]]
    left: list[int] = []
    right: list[int] = []

    def flush() -> None:
        if not (left and right) or not _side_by_side(boxes, left, right):
            groups[-1].extend(sorted((*left, *right), key=lambda at: (boxes[at].y0, boxes[at].x0)))
        else:
            for half in (left, right):
                inner = reading_order([boxes[at] for at in half], size, width, depth + 1)
                groups.extend([half[at] for at in group] for group in inner)
            groups.append([])
        left.clear()
        right.clear()

    for at in order:
        box = boxes[at]
        if box.x1 <= gutter:
            left.append(at)
        elif box.x0 >= gutter:
            right.append(at)
        else:
            # What spans the columns and begins a little above the end of a column comes after it.
            flush()
            groups[-1].append(at)
    flush()
    return [group for group in groups if group]


def _side_by_side(boxes: Sequence[BoundingBox], left: list[int], right: list[int]) -> bool:
    tops = [min(boxes[at].y0 for at in half) for half in (left, right)]
    bottoms = [max(boxes[at].y1 for at in half) for half in (left, right)]
    return max(tops) < min(bottoms)


def _gutter(boxes: Sequence[BoundingBox], size: float, width: float) -> float | None:
    """The middle of the strip that parts the text over the greatest height, if it is enough."""
    x0, y0 = min(b.x0 for b in boxes), min(b.y0 for b in boxes)
    x1, y1 = max(b.x1 for b in boxes), max(b.y1 for b in boxes)
    step = max(STEP, max(x1 - x0, y1 - y0) / MAX_STEPS)
    covered = np.zeros((int((y1 - y0) / step) + 1, int((x1 - x0) / step) + 1), dtype=bool)
    for box in boxes:
        rows = slice(int((box.y0 - y0) / step), int((box.y1 - y0) / step) + 1)
        covered[rows, int((box.x0 - x0) / step) : int((box.x1 - x0) / step) + 1] = True
    strip = max(1, int(GUTTER * size / step))
    if covered.shape[1] <= strip + 2:
        return None
    left = np.logical_or.accumulate(covered, axis=1)
    right = np.logical_or.accumulate(covered[:, ::-1], axis=1)[:, ::-1]
    empty = np.ones((covered.shape[0], covered.shape[1] - strip + 1), dtype=bool)
    for shift in range(strip):
        empty &= ~covered[:, shift : shift + empty.shape[1]]
    parted = empty[:, 1:-1] & left[:, : empty.shape[1] - 2] & right[:, strip + 1 :]
    heights = parted.sum(axis=0) * step
    best = float(heights.max()) if heights.size else 0.0
    if best < MIN_HEIGHT * size:
        return None
    places = np.flatnonzero(heights >= 0.98 * best)
    # The first of the strips that are as high: with three columns, the left one is cut off first.
    run = places[: int(np.argmax(np.diff(places, append=places[-1] + 2) > 1)) + 1]
    place = x0 + (float(run.mean()) + 1 + strip / 2) * step
    sides = [b for b in boxes if b.x1 <= place], [b for b in boxes if b.x0 >= place]
    least = MIN_TALL_COLUMN if best >= TALL * size else MIN_COLUMN
    if any(_mean_width(side) < least * width for side in sides):
        return None
    return place


def _mean_width(boxes: Sequence[BoundingBox]) -> float:
    return sum(box.x1 - box.x0 for box in boxes) / len(boxes) if boxes else 0.0
