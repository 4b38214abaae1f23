"""The span found by comparing the written frames with the original is the span of the answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.videossr.perturbations import PERTURBATIONS
from synthmill.rewards import videossr as rewards
from tests.generators.videossr.footage import (
    all_frames,
    few,
    judged,
    made,
    on_screen,
    passes,
    shown_frames,
)

NOISE = 3  # what JPEG changes at most, as a mean over the picture
SPEEDS = ("slow", "fast")
PLACED = [name for name in PERTURBATIONS if name not in (*SPEEDS, "stutter_hold")]


def questions(path, other, names, seed):
    """Passing questions by perturbation, with their clip's frames as written."""
    result = made(path, {f"grounding/{name}": seed + i for i, name in enumerate(names)}, other)
    assert all("visible_change" in judged(q) for q in result.questions)
    return {
        q.detail.sample.perturbation: (q, shown_frames(result, q)[0])
        for q in result.questions
        if passes(q)
    }


def answer_of(first, stop, step_ms):
    return f"{first * step_ms / 1000:.1f}-{stop * step_ms / 1000:.1f}"


def original(path, step_ms, count):
    frames = all_frames(path)
    return np.stack([on_screen(frames, k * step_ms / 1000) for k in range(count)])


def changed(shown, source):
    return np.flatnonzero(np.abs(shown - source).mean(axis=(1, 2, 3)) > NOISE)


@few(3)
@given(seed=st.integers(0, 2**62))
def test_the_span_is_where_the_frames_differ_from_the_original(travel, splashes, seed):
    found = questions(travel, splashes, PLACED, seed)
    assert set(found) == set(PLACED)
    for name, (question, shown) in found.items():
        source = original(travel, question.detail.step_ms, len(shown))
        places = changed(shown, source)
        span = answer_of(places[0], places[-1] + 1, question.detail.step_ms)
        assert span == question.answer, name
        assert rewards.grounding(question.answer, span) == 1.0


@few(3)
@given(seed=st.integers(0, 2**62))
def test_a_stutter_begins_with_the_frame_that_freezes(travel, splashes, seed):
    for path in (travel, splashes):
        found = questions(path, None, ["stutter_hold"], seed)
        assert found
        for question, shown in found.values():
            source = original(path, question.detail.step_ms, len(shown))
            places = changed(shown, source)
            nearest = [int(np.abs(shown[p] - source).mean(axis=(1, 2, 3)).argmin()) for p in places]
            span = answer_of(min(nearest), places[-1] + 1, question.detail.step_ms)
            assert span == question.answer


@few(4)
@given(seed=st.integers(0, 2**62))
def test_the_span_of_slow_and_fast_is_where_time_runs_differently(travel, seed):
    frames = all_frames(travel)
    seconds = np.array([second for second, _ in frames])
    small = np.stack([pixels[::4, ::4] for _, pixels in frames]).astype(np.int16)
    found = questions(travel, None, SPEEDS, seed)
    assert set(found) == set(SPEEDS)
    for name, (question, shown) in found.items():
        step, count = question.detail.step_ms / 1000, len(shown)
        nearest = [np.abs(frame[::4, ::4] - small).mean(axis=(1, 2, 3)).argmin() for frame in shown]
        source_times = seconds[np.array(nearest)]
        rate = 0.5 if name == "slow" else 2.0
        length = question.detail.sample.length
        errors = [
            np.abs(expected_times(count, first, length, rate, step) - source_times).sum()
            for first in range(count - length + 1)
        ]
        first = int(np.argmin(errors))
        assert abs(first - question.detail.sample.first) <= 1  # frames of the source are 42 ms long
        assert errors[question.detail.sample.first] / count < 1 / 24
        assert question.answer == answer_of(
            question.detail.sample.first, question.detail.sample.first + length, step * 1000
        )


def expected_times(count, first, length, rate, step):
    k = np.arange(count)
    return step * (k + (rate - 1) * np.clip(k - first, 0, length))


def test_label_rate_and_real_time_agree(travel):
    """Seconds of the label times the rate handed to the model are frames; so are real seconds."""
    result = made(travel, {"grounding/invert": 3})
    detail = result.questions[0].detail
    sample = detail.sample
    start, end = map(float, result.questions[0].answer.split("-"))
    assert abs(start * detail.fps - sample.first) <= 0.05 * detail.fps + 1e-9
    assert abs(end * detail.fps - sample.first - sample.length) <= 0.05 * detail.fps + 1e-9
    for place, begun in enumerate(detail.times):
        shown = place * detail.step_ms
        assert begun <= shown < begun + 1000 / detail.info.fps + 1


@pytest.mark.parametrize("codec", ["av1", "vp9"])
def test_re_encoded_clips_keep_span_and_time(travel, codec):
    names = ["invert", "rotate180", "channel_swap", "zoom_out"]
    form = {"media": "clip", "codec": codec}
    result = made(travel, {f"grounding/{name}": 5 for name in names}, form=form)
    for question in result.questions:
        shown = shown_frames(result, question)[0]
        source = original(travel, question.detail.step_ms, len(shown))
        places = np.flatnonzero(np.abs(shown - source).mean(axis=(1, 2, 3)) > 12)
        step = question.detail.step_ms
        assert answer_of(places[0], places[-1] + 1, step) == question.answer
        [file] = question.files
        times = [second for second, _ in all_frames(_file(result, file))]
        assert np.allclose(times, [k * step / 1000 for k in range(len(shown))], atol=5e-4)


def _file(result, file):
    import io

    return io.BytesIO(result.files[file.sha256])


def test_recorded_parameters_stay_in_the_paper_ranges(travel, splashes):
    for seed in range(4):
        found = questions(travel, splashes, list(PERTURBATIONS), seed)
        for name, (question, _) in found.items():
            sample = question.detail.sample
            assert 8 <= sample.length <= 16 and 0 <= sample.first <= 48 - sample.length
            low, high = {
                "noise": (35, 70),
                "zoom_in": (1.3, 1.5),
                "zoom_out": (1.2, 1.4),
                "blur": (2, 2),
                "saturation": (2, 2),
            }.get(name, (0, 0))
            assert all(low <= amount <= high for amount in sample.drawn.amounts)
            if name == "stutter_hold":
                assert 2 <= len(set(sample.drawn.order)) <= 5
            if name == "swap":
                assert sample.other and len(sample.other_times) == sample.length
