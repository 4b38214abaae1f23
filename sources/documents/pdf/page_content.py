"""What is on a page of a PDF: words with their type, ruled lines, drawings, images.

Coordinates are points on the page as it is shown, from its top left.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from synthmill.sources.documents.elements import BoundingBox

SCRIPT_SIZE = 0.82  # ours: superscripts are in type smaller than this share of the word's


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


class PageFrame:
    """Turns user space of a page, whose origin is below, into the page as it is shown."""

    def __init__(self, page: Any) -> None:
        # Not the crop box: pypdfium2 does not see one that is inherited from the page's parent.
        self.left, self.bottom, self.right, self.top = page.get_bbox()
        self.turn = page.get_rotation()

    def box(self, x0: float, y0: float, x1: float, y1: float) -> BoundingBox:
        """A box of user space on the page as it is shown."""
        if not self.turn:
            return BoundingBox(x0 - self.left, self.top - y1, x1 - self.left, self.top - y0)
        plain = BoundingBox(x0 - self.left, self.top - y1, x1 - self.left, self.top - y0)
        return turned(plain, self.right - self.left, self.top - self.bottom, self.turn)
