"""Shapes counted from the record, and again as patches of changed pixels."""

from collections import Counter
from itertools import chain, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.videossr.counting import KINDS, reach
from synthmill.rewards import videossr as rewards
from tests.generators.videossr.footage import all_frames, few, made, on_screen, passes, shown_frames


def patches(mask):
    """Sizes of the connected patches of a mask."""
    left = {(int(y), int(x)) for y, x in np.argwhere(mask)}
    sizes = []
    while left:
        heap, size = [left.pop()], 0
        while heap:
            y, x = heap.pop()
            size += 1
            for near in ((y, x + 1), (y, x - 1), (y + 1, x), (y - 1, x)):
                if near in left:
                    left.remove(near)
                    heap.append(near)
        sizes.append(size)
    return sizes


@few(4)
@given(seed=st.integers(0, 2**62), level=st.sampled_from(["easy", "hard"]))
def test_counts_from_the_record_and_from_pixels_equal_the_answer(travel, splashes, seed, level):
    for path in (travel, splashes):
        result = made(path, {f"counting/{level}": seed})
        [question] = result.questions
        assert passes(question)
        sample = question.detail.sample
        kinds = Counter(shape.kind for shape in sample.shapes)
        assert question.answer == ",".join(str(kinds[kind]) for kind in KINDS)
        frames = all_frames(path)
        [shown] = shown_frames(result, question)
        counted: Counter[str] = Counter()
        for place, pixels in enumerate(shown):
            source = on_screen(frames, place * question.detail.step_ms / 1000)
            found = patches(np.abs(pixels - source).max(axis=-1) > 40)
            of_frame = [shape for shape in sample.shapes if shape.frame == place]
            # The smallest triangle has 359 pixels. Less is an island of a shape, whose contrast
            # holds for 95 of 100 pixels, or an edge that two ways to enlarge color draw unlike.
            large = [size for size in found if size > 150]
            assert len(large) == len(of_frame)
            counted.update(shape.kind for shape in of_frame)
        assert counted == kinds
        assert rewards.counting(question.answer, question.answer) == pytest.approx(1.0)


@few(4)
@given(seed=st.integers(0, 2**62), level=st.sampled_from(["easy", "hard"]))
def test_layout_keeps_the_rules(travel, seed, level):
    [question] = made(travel, {f"counting/{level}": seed}).questions
    limit = {"easy": 3, "hard": 4}[level]
    shapes, detail = question.detail.sample.shapes, question.detail
    side = min(detail.width, detail.height)
    for shape in shapes:
        assert 0.2 * side - 0.01 <= shape.size <= 0.4 * side + 0.01
        assert all(50 <= channel <= 255 for channel in shape.color)
        assert reach(shape) <= min(shape.x, detail.width - shape.x)
        assert reach(shape) <= min(shape.y, detail.height - shape.y)
    by_kind = {kind: sorted({s.frame for s in shapes if s.kind == kind}) for kind in KINDS}
    for kind, frames in by_kind.items():
        assert 1 <= len(frames) <= limit
        assert all(b - a > 8 for a, b in pairwise(frames))
        assert all(1 <= sum(s.frame == f for s in shapes) <= limit for f in frames), kind
    every = list(chain.from_iterable(by_kind.values()))
    assert len(set(every)) == len(every)  # one kind a frame
    for a in shapes:
        for b in shapes:
            if a is not b and a.frame == b.frame:
                apart = ((a.x - b.x) ** 2 + (a.y - b.y) ** 2) ** 0.5
                assert apart >= reach(a) + reach(b) + 6
