"""Object counting (section 3.3): shapes are drawn into a few frames; how many of each kind?

Unlike in the released code, shapes never overlap or leave the frame, and each contrasts with its
background, so that the counts are exact.
"""

import math
from random import Random
from typing import Literal, get_args

import numpy as np

from synthmill.generators.videossr.records import Clip, CountingRecord, Sample, Shape
from synthmill.generators.videossr.settings import Counting, Level
from synthmill.sources.video.reading import Frames, Pixels

Kind = Literal["circle", "square", "triangle"]
KINDS: tuple[Kind, ...] = get_args(Kind)

QUESTION = (
    "Flat circles, squares and triangles of a single color were drawn over some frames of this "
    "video, in any color and at any angle. How many of each are there in all frames together? "
    "Answer with the numbers of circles, squares and triangles, separated by commas, and nothing "
    "else, for example 3,1,4."
)
# Radius of the circle around a shape of size 1: a square's half diagonal; a triangle of side 1.
REACH: dict[Kind, float] = {"circle": 0.5, "square": 0.5**0.5, "triangle": 3**-0.5}
CLEAR_SHARE = 0.95  # ours: share of the pixels around a shape that must contrast with it
TRIES = 40  # ours: arrangements tried for a frame, and colors tried for a shape
PLACES = 20  # places tried for a shape (released code)


def build(name: str, seen: Frames, step_ms: int, settings: Counting, rng: Random) -> Sample:
    """The sample; shapes without room or contrast are not drawn."""
    base = seen.pixels
    level: Level = getattr(settings, name)
    shapes: list[Shape] = []
    missing = 0
    for kind, frames in _frames(len(base), level, settings.apart, rng).items():
        for frame in frames:
            count = rng.randint(1, level.shapes)
            placed = _arrange(kind, count, frame, base[frame], settings, rng)
            missing += count - len(placed)
            shapes += placed
    changed = {frame: drawn(base[frame], shapes, frame) for frame in {s.frame for s in shapes}}
    return Sample(
        seen=seen,
        clips=(Clip(tuple(range(len(base))), changed),),
        step_ms=step_ms,
        question=QUESTION,
        answer=counts(shapes),
        record=CountingRecord(level=name, shapes=shapes, missing=missing),
    )


def counts(shapes: list[Shape]) -> str:
    """The answer: the numbers of circles, squares and triangles."""
    return ",".join(str(sum(shape.kind == kind for shape in shapes)) for kind in KINDS)


def _frames(count: int, level: Level, apart: int, rng: Random) -> dict[Kind, list[int]]:
    """For each kind 1..`level.frames` frames more than `apart` apart; no frame has two kinds."""
    free = set(range(count))
    chosen: dict[Kind, list[int]] = {}
    for kind in KINDS:
        picked = _spread(free, rng.randint(1, level.frames), apart, rng)
        free -= set(picked)
        chosen[kind] = sorted(picked)
    return chosen


def _spread(free: set[int], wanted: int, apart: int, rng: Random) -> list[int]:
    """`wanted` of the free frames, more than `apart` apart; fewer if there is no room."""
    best: list[int] = []
    for _ in range(TRIES):
        picked: list[int] = []
        while len(picked) < wanted:
            left = [f for f in sorted(free) if all(abs(f - p) > apart for p in picked)]
            if not left:
                break
            picked.append(rng.choice(left))
        if len(picked) == wanted:
            return picked
        best = max(best, picked, key=len)
    return best


def _arrange(
    kind: Kind, count: int, frame: int, pixels: Pixels, settings: Counting, rng: Random
) -> list[Shape]:
    """`count` shapes that do not touch and can be seen; fewer if the frame has no room."""
    best: list[Shape] = []
    for _ in range(TRIES):
        placed: list[Shape] = []
        for _ in range(PLACES * count):
            shape = _draw(kind, frame, pixels, settings, rng)
            if any(_touch(shape, other, settings.gap) for other in placed):
                continue
            color = _color(shape, pixels, settings, rng)
            if color is not None:
                placed.append(shape.model_copy(update={"color": color}))
            if len(placed) == count:
                break
        if len(placed) == count:
            return placed
        best = max(best, placed, key=len)
    return best


def _draw(kind: Kind, frame: int, pixels: Pixels, settings: Counting, rng: Random) -> Shape:
    """A shape at a random place in the middle of the frame; its color is chosen later."""
    height, width = pixels.shape[:2]
    size = rng.uniform(*settings.size) * min(width, height)
    edge = settings.margin * size
    inset = (1 - settings.middle) / 2

    def center(side: int) -> float:
        low = max(inset * side, edge)
        return rng.uniform(low, max(low, side - low))

    return Shape(
        kind=kind,
        frame=frame,
        x=round(center(width), 2),
        y=round(center(height), 2),
        size=round(size, 2),
        angle=0.0 if kind == "circle" else round(rng.uniform(0, 360), 1),
        color=(0, 0, 0),
    )


def _touch(a: Shape, b: Shape, gap: int) -> bool:
    return math.hypot(a.x - b.x, a.y - b.y) < reach(a) + reach(b) + gap


def reach(shape: Shape) -> float:
    """Radius in pixels of the circle around a shape."""
    return REACH[shape.kind] * shape.size


def _color(
    shape: Shape, pixels: Pixels, settings: Counting, rng: Random
) -> tuple[int, int, int] | None:
    """A color that contrasts with nearly all pixels behind and around the shape, or None."""
    radius = reach(shape) + 2
    left, top = max(0, int(shape.x - radius)), max(0, int(shape.y - radius))
    behind = pixels[top : int(shape.y + radius) + 1, left : int(shape.x + radius) + 1]
    behind = behind.reshape(-1, 3).astype(np.int16)
    for _ in range(TRIES):
        red, green, blue = (rng.randint(*settings.color) for _ in range(3))
        contrast = np.abs(behind - np.array((red, green, blue))).max(axis=1) >= settings.contrast
        if contrast.mean() >= CLEAR_SHARE:
            return red, green, blue
    return None


def drawn(pixels: Pixels, shapes: list[Shape], frame: int) -> Pixels:
    """A copy of a frame's pixels with its shapes drawn in."""
    from PIL import Image, ImageDraw

    image = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(image)
    for shape in shapes:
        if shape.frame != frame:
            continue
        if shape.kind == "circle":
            radius = reach(shape)
            box = (shape.x - radius, shape.y - radius, shape.x + radius, shape.y + radius)
            canvas.ellipse(box, fill=shape.color)
        else:
            canvas.polygon(corners(shape), fill=shape.color)
    return np.asarray(image)


def corners(shape: Shape) -> list[tuple[float, float]]:
    """The corners of a square or triangle, in pixels."""
    count = 4 if shape.kind == "square" else 3
    angles = [math.radians(shape.angle) + math.tau * corner / count for corner in range(count)]
    radius = reach(shape)
    return [(shape.x + radius * math.cos(a), shape.y - radius * math.sin(a)) for a in angles]
