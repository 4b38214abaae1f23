"""The right order found by matching the written clips with the original is the answer's."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.videossr.generator import messages
from synthmill.generators.videossr.jigsaw import LABELS, answer, shuffled
from synthmill.rewards import videossr as rewards
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import TextPart, VideoPart
from tests.generators.videossr.footage import all_frames, few, made, on_screen, shown_frames


def found_order(path, question, clips):
    """The answer as the labels of shown clips, ordered by where their frames stand in the video."""
    frames = all_frames(path)
    count = question.detail.sample.clips * question.detail.sample.frames
    source = np.stack([on_screen(frames, k * question.detail.step_ms / 1000) for k in range(count)])
    places = [np.abs(clip[0] - source).mean(axis=(1, 2, 3)).argmin() for clip in clips]
    return "".join(LABELS[k] for k in np.argsort(places))


@few(6)
@given(seed=st.integers(0, 2**62), count=st.sampled_from([3, 5, 6, 8, 12]))
def test_matching_the_clips_gives_the_answer(travel, seed, count):
    result = made(travel, {f"jigsaw/{count}": seed})
    [question] = result.questions
    clips = shown_frames(result, question)
    assert [len(clip) for clip in clips] == [48 // count] * count
    assert found_order(travel, question, clips) == question.answer
    assert question.answer != LABELS[:count]
    assert rewards.jigsaw(question.answer, question.answer) == 1.0


def test_one_video_as_presentation(travel):
    result = made(travel, {"jigsaw/6": 4}, jigsaw={"presentation": "single"})
    [question] = result.questions
    [whole] = shown_frames(result, question)
    clips = [whole[start : start + 8] for start in range(0, 48, 8)]
    assert found_order(travel, question, clips) == question.answer


@pytest.mark.parametrize("codec", ["av1", "vp9"])
def test_clips_as_files(travel, codec):
    result = made(travel, {"jigsaw/6": 9}, form={"media": "clip", "codec": codec})
    [question] = result.questions
    assert len(question.files) == 6
    assert found_order(travel, question, shown_frames(result, question)) == question.answer


@given(seed=st.integers(0, 2**62), count=st.integers(3, 24))
def test_the_answer_is_the_inverse_and_never_the_identity(seed, count):
    order = shuffled(count, Random(seed))
    assert order != sorted(order)
    right = answer(order)
    for original, label in enumerate(right):
        assert order[LABELS.index(label)] == original


def test_messages_number_the_clips(travel):
    result = made(travel, {"jigsaw/6": 1})
    [question] = result.questions
    stored = {
        file.sha256: Media(kind="image", path=f"{place}.jpg", sha256="", mime="image/jpeg")
        for place, file in enumerate(question.files)
    }
    _, turn = messages(question.text, question.files, stored, question.detail.fps)
    videos = [part for part in turn.content if isinstance(part, VideoPart)]
    assert len(videos) == 6 and all(video.has_frames for video in videos)
    assert turn.content[10] == TextPart(text="Clip 6: ")
    assert videos[5].paths[:2] == tuple(stored[f.sha256].path for f in question.files[40:42])
