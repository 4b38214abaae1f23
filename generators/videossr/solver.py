"""A blind solver: answers a question from its media alone, by comparing pixels.

It knows the kind of the question and neither the source video, the span, the shapes nor the order.
A question that it answers better than chance is answerable; the filter `answerable` judges that. A
model may see more than it does, so the filter rejects some good questions of fast or busy videos.
Methods and thresholds are ours: the paper checks no question.
"""

import math
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise, permutations

import numpy as np
from numpy.typing import NDArray

from synthmill.generators.videossr.counting import KINDS, REACH, Kind
from synthmill.generators.videossr.jigsaw import LABELS
from synthmill.generators.videossr.perturbations import (
    PERTURBATIONS,
    Appearance,
    Blur,
    DrawnParameters,
    Noise,
    Saturation,
    Speed,
    StutterHold,
    Swap,
    ZoomIn,
    ZoomOut,
)
from synthmill.generators.videossr.settings import SubType
from synthmill.sources.video.frame_statistics import STILL, differences, steps, thumbnails
from synthmill.sources.video.reading import Pixels, fitted_size

Curve = NDArray[np.float64]

HELD = STILL / 4  # a held frame is the same picture again, but for the encoding of clips
MOST_PACE = 4  # times the usual movement: more is a cut and says nothing about pace
UNCLEAR = 0.1  # of the clearest evidence of an edge: as much is found by chance
MINIATURE = 64 * 64  # pixels; in the shape of the video, which a quarter turn shows
JUMP_COST = 0.75  # of a moving step in a stutter; held frames are at least every second one
PERMUTED = 8  # jigsaws of more clips are ordered by improving a path
# Typical strengths of changes that are drawn; the question does not say them.
ZOOMS = (1.3, 1.4, 1.5)
REDUCED = 1.3
SATURATION = 2.0


def solve(sub_type: SubType, clips: Sequence[Pixels], fps: float, decimals: int) -> str:
    """The answer, in the form that the question asks for.

    `clips` are the shown clips, each (count, height, width, 3); `fps` is their frame rate and
    `decimals` the digits of seconds in an answer.
    """
    if sub_type.task == "jigsaw":
        return _order(clips, int(sub_type.variant))
    if sub_type.task == "counting":
        return _counts(clips[0])
    start, end = _span(sub_type.variant, clips[0])
    return f"{start / fps:.{decimals}f}-{end / fps:.{decimals}f}"


# Grounding. Each method gives the evidence that the span begins at a frame and that it ends before
# a frame; the span with the most evidence is the answer.


def _span(name: str, shown: Pixels) -> tuple[int, int]:
    """First frame of the perturbed span, and the frame after it."""
    perturbation = PERTURBATIONS[name]
    if isinstance(perturbation, Noise | Blur):
        detail = np.log(_fine_detail(shown) + 1e-3)
        rise = np.diff(detail) * (1 if isinstance(perturbation, Noise) else -1)
        return _best(rise, -rise)
    if isinstance(perturbation, Appearance):
        return _best(*_undone(perturbation, _miniatures(shown)))
    small = thumbnails(shown)
    if isinstance(perturbation, Swap):
        return _inserted(differences(small))
    moves = steps(differences(small))
    if isinstance(perturbation, StutterHold):
        return _stutter(moves)
    pace = np.log(np.minimum(moves, MOST_PACE * np.median(moves)) + STILL)
    if isinstance(perturbation, Speed):
        return _unusual(pace if perturbation.name == "fast" else -pace, inner=1)
    return _unusual(pace, inner=0)  # shuffle


def _best(begins: Curve, ends: Curve) -> tuple[int, int]:
    """The span [first, end) with the largest ``begins[first - 1] + ends[end - 1]``.

    A span may begin with the video or end with it; of such a span and the rest of the video, the
    shorter is the perturbed one. There is no evidence there, so evidence counts elsewhere only
    where it is more than a share of the clearest.
    """
    count = len(begins) + 1
    least = UNCLEAR * max(begins.max(), ends.max())
    begin, end = np.append(0.0, begins - least), np.append(ends - least, 0.0)
    score = begin[:, None] + end[None, :]  # [first, last]
    first, last = np.triu_indices(count, k=1)
    value = score[first, last] - 1e-9 * (last - first)
    whole = (first == 0) & (last == count - 1)
    value[whole] = -np.inf
    best = int(value.argmax())
    return int(first[best]), int(last[best]) + 1


def _undone(perturbation: Appearance, small: Pixels) -> tuple[Curve, Curve]:
    """How much better neighbors agree when the one outside of the span is changed like the span."""
    frames = small.astype(np.int16)
    plain = _apart(frames[:-1], frames[1:])
    begins = ends = np.full(len(plain), -np.inf)
    for drawn in _typical(perturbation, len(small)):
        changed = perturbation.apply(small, drawn).astype(np.int16)
        begins = np.maximum(begins, plain - _apart(changed[:-1], frames[1:]))
        ends = np.maximum(ends, plain - _apart(frames[:-1], changed[1:]))
    return begins, ends


def _miniatures(shown: Pixels) -> Pixels:
    from PIL import Image

    size = fitted_size(shown.shape[2], shown.shape[1], MINIATURE)
    images = (Image.fromarray(frame).resize(size, Image.Resampling.BOX) for frame in shown)
    return np.stack([np.asarray(image) for image in images])


def _apart(a: NDArray[np.int16], b: NDArray[np.int16]) -> Curve:
    """Mean absolute difference of frames with those at the same place, 0..1."""
    return np.abs(a - b).reshape(len(a), -1).mean(axis=1) / 255


def _typical(perturbation: Appearance, count: int) -> list[DrawnParameters]:
    if isinstance(perturbation, ZoomIn):
        return [DrawnParameters(amounts=[zoom] * count) for zoom in ZOOMS]
    if isinstance(perturbation, ZoomOut):
        return [DrawnParameters(amounts=[REDUCED] * count)]
    if isinstance(perturbation, Saturation):
        return [DrawnParameters(amounts=[SATURATION])]
    return [DrawnParameters()]


def _fine_detail(shown: Pixels) -> Curve:
    """Mean absolute second difference along rows and columns: high for noise, low for blur."""
    found = np.empty(len(shown))
    for place, frame in enumerate(shown):
        gray = frame.astype(np.int16).sum(axis=2)
        across = np.abs(2 * gray[:, 1:-1] - gray[:, :-2] - gray[:, 2:]).mean()
        down = np.abs(2 * gray[1:-1] - gray[:-2] - gray[2:]).mean()
        found[place] = across + down
    return found


def _inserted(difference: Curve) -> tuple[int, int]:
    """The span whose edges are cuts and around which the video goes on."""
    count, moves = len(difference), steps(difference)
    best, found = -np.inf, (0, 1)
    for first in range(count):
        for end in range(first + 2, count + 1):
            before = moves[first - 1] if first else 0.0
            after = moves[end - 1] if end < count else 0.0
            around = difference[first - 1, end] if first and end < count else 0.0
            # Half, because the video itself has moved on meanwhile.
            score = before + after - around / 2 - 1e-9 * (end - first)
            if score > best and (first, end) != (0, count):
                best, found = score, (first, end)
    return found


def _stutter(moves: Curve) -> tuple[int, int]:
    """The stretch with many held frames and few jumps."""
    gain = np.append(0.0, np.where(moves < HELD, 1.0, -JUMP_COST).cumsum())
    first, last = np.triu_indices(len(gain), k=1)
    best = int((gain[last] - gain[first] + 1e-9 * (last - first)).argmax())
    return int(first[best]), int(last[best]) + 1


def _unusual(moves: Curve, inner: int) -> tuple[int, int]:
    """The span in which the movement is largest against the rest, in standard errors.

    `inner` is 1 if only the steps between two frames of the span are changed, and 0 if the steps
    at its edges are too.
    """
    count = len(moves) + 1
    total = np.append(0.0, moves.cumsum())
    squares = np.append(0.0, (moves**2).cumsum())
    first, end = np.triu_indices(count + 1, k=4)  # four frames have a pace; fewer are a cut
    low = np.maximum(first - 1 + inner, 0)
    high = np.minimum(end - inner, len(moves))
    inside = high - low
    outside = len(moves) - inside
    usable = (inside >= 2) & (outside >= 2)
    first, end, low, high = first[usable], end[usable], low[usable], high[usable]
    inside, outside = inside[usable], outside[usable]
    sum_in, square_in = total[high] - total[low], squares[high] - squares[low]
    sum_out, square_out = total[-1] - sum_in, squares[-1] - square_in
    spread = square_in - sum_in**2 / inside + square_out - sum_out**2 / outside
    gap = sum_in / inside - sum_out / outside
    error = np.sqrt(np.maximum(spread, 1e-9) * (1 / inside + 1 / outside))
    best = int((gap / error).argmax())
    return int(first[best]), int(end[best])


# Counting: flat patches that the frames before and after do not have, and that have a right form.

SIDE = 64  # pixels of the shorter side of the frames that are searched
CHANGED = 24  # levels by which a drawn shape differs from the frames around it
ALIKE = 14  # levels by which pixels of a shape differ, after JPEG
SMALLEST = 0.15  # of the shorter side: size of the smallest shape looked for
MOST_PATCHES = 24  # looked at in a frame
MATCH = 0.85  # of the patch and the ideal shape together is in both
# Share of the circle around it that a shape fills.
FILLED = {"circle": 1.0, "square": 2 / math.pi, "triangle": 3 * math.sqrt(3) / (4 * math.pi)}
ROUND = 32  # corners of a polygon that is drawn for a circle
CORNERS = {"circle": ROUND, "square": 4, "triangle": 3}
TURN = math.radians(6)

Mask = NDArray[np.bool_]


def _counts(shown: Pixels) -> str:
    every = max(1, min(shown.shape[1:3]) // SIDE)
    frames = shown[:, ::every, ::every].astype(np.int16)
    found = dict.fromkeys(KINDS, 0)
    for place in range(len(frames)):
        for kind in _shapes(frames, place):
            found[kind] += 1
    return ",".join(str(found[kind]) for kind in KINDS)


def _shapes(frames: NDArray[np.int16], place: int) -> list[Kind]:
    """The kinds of the shapes in a frame."""
    frame = frames[place]
    around = [frames[n] for n in (place - 1, place + 1) if 0 <= n < len(frames)]
    new = np.all([np.abs(frame - other).max(axis=2) >= CHANGED for other in around], axis=0)
    new &= _flat(frame)
    radius = REACH["triangle"] * SMALLEST * min(frame.shape[:2])
    least = FILLED["triangle"] * math.pi * radius**2
    kinds: list[Kind] = []
    for _ in range(MOST_PATCHES):
        if new.sum() < least / 2:
            break
        alike = _most_frequent(frame, new)
        if alike.sum() < least:
            new &= ~alike
            continue
        seeds = np.argwhere(new & alike)
        patch = _connected(alike, seeds[len(seeds) // 2])
        new &= ~_grown(patch)
        kind = _kind(patch) if patch.sum() >= least else None
        kinds += [kind] if kind else []
    return kinds


def _flat(frame: NDArray[np.int16]) -> Mask:
    """Pixels whose four neighbors have nearly the same color."""
    flat = np.ones(frame.shape[:2], bool)
    for axis in (0, 1):
        for shift in (-1, 1):
            flat &= np.abs(frame - np.roll(frame, shift, axis)).max(axis=2) <= ALIKE
    return flat


def _most_frequent(frame: NDArray[np.int16], free: Mask) -> Mask:
    """The pixels of the frame that have the color that is most frequent among the free ones."""
    colors = frame[free]
    coarse = (colors // 16).astype(np.int64) @ np.array([4096, 64, 1])
    values, counts = np.unique(coarse, return_counts=True)
    color = np.median(colors[coarse == values[counts.argmax()]], axis=0)
    return np.abs(frame - color).max(axis=2) <= ALIKE


def _connected(mask: Mask, place: NDArray[np.intp]) -> Mask:
    """The part of a mask that is connected with a pixel of it."""
    patch, size = np.zeros_like(mask), 0
    patch[tuple(place)] = True
    while patch.sum() > size:
        size = int(patch.sum())
        for grown, allowed in ((patch, mask), (patch.T, mask.T)):
            _spread(grown, allowed)
            _spread(grown[::-1], allowed[::-1])
    return patch


def _spread(patch: Mask, mask: Mask) -> None:
    """Extend a patch row by row, downwards, in place."""
    for row in range(1, len(patch)):
        patch[row] |= patch[row - 1] & mask[row]


def _grown(patch: Mask) -> Mask:
    grown = patch.copy()
    for axis in (0, 1):
        for shift in (-2, -1, 1, 2):
            grown |= np.roll(patch, shift, axis)
    return grown


def _kind(patch: Mask) -> Kind | None:
    """The kind of shape that covers a patch and little else; None if there is none."""
    rows, columns = (np.flatnonzero(patch.any(axis=axis)) for axis in (1, 0))
    patch = np.pad(patch[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], 3)
    matches = {kind: max(_match(patch, kind, turn) for turn in _turns(kind)) for kind in KINDS}
    best = max(matches, key=lambda kind: matches[kind])
    return best if matches[best] >= MATCH else None


def _turns(kind: Kind) -> Curve:
    """Angles in radians that a shape is compared at."""
    corners = CORNERS[kind]
    return np.arange(0, math.tau / corners, TURN) if corners < ROUND else np.zeros(1)


def _match(patch: Mask, kind: Kind, turn: float) -> float:
    """Overlap of a patch with the shape of the same area, turned, around the same middle."""
    y, x = np.indices(patch.shape)
    row, column = np.argwhere(patch).mean(axis=0)
    count = CORNERS[kind]
    sides = turn + math.tau * np.arange(count) / count
    outwards = (x - column) * np.cos(sides)[:, None, None] + (y - row) * np.sin(sides)[
        :, None, None
    ]
    radius = math.sqrt(patch.sum() / (math.pi * FILLED[kind]))  # of the circle around the shape
    ideal = outwards.max(axis=0) <= radius * math.cos(math.pi / count)
    return float((patch & ideal).sum() / (patch | ideal).sum())


# Jigsaw: the order in which the end of each clip is most like the beginning of the next.


def _order(clips: Sequence[Pixels], count: int) -> str:
    if len(clips) == 1:
        size = len(clips[0]) // count
        clips = [clips[0][place * size : (place + 1) * size] for place in range(count)]
    edges = thumbnails(np.concatenate([[clip[0], clip[-1]] for clip in clips])).astype(np.int16)
    flat = edges.reshape(count, 2, -1)
    cost = np.array([[np.abs(a[1] - b[0]).mean() for b in flat] for a in flat])
    order = _shortest(cost) if count <= PERMUTED else _improved(cost)
    return "".join(LABELS[clip] for clip in order)


def _length(cost: Curve, order: Sequence[int]) -> float:
    return float(sum(cost[a, b] for a, b in pairwise(order)))


def _shortest(cost: Curve) -> Sequence[int]:
    orders = np.array(list(permutations(range(len(cost)))))
    lengths = cost[orders[:, :-1], orders[:, 1:]].sum(axis=1)
    return [int(clip) for clip in orders[lengths.argmin()]]


def _improved(cost: Curve) -> Sequence[int]:
    """A path from the best greedy start, improved by moving stretches while that shortens it."""
    order = min((_greedy(cost, start) for start in range(len(cost))), key=_of(cost))
    while True:
        moved = min(_moves(order), key=_of(cost))
        if _length(cost, moved) >= _length(cost, order) - 1e-12:
            return order
        order = moved


def _of(cost: Curve) -> Callable[[Sequence[int]], float]:
    return lambda order: _length(cost, order)


def _greedy(cost: Curve, start: int) -> list[int]:
    order, left = [start], set(range(len(cost))) - {start}
    while left:
        order.append(min(left, key=lambda clip: cost[order[-1], clip]))
        left.remove(order[-1])
    return order


def _moves(order: list[int]) -> list[list[int]]:
    """Every order made by exchanging two neighboring stretches."""
    cuts = combinations(range(len(order) + 1), 3)
    return [order[:a] + order[b:c] + order[a:b] + order[c:] for a, b, c in cuts]
