"""Questions that nothing in the media answers are rejected, by measures and by the blind solver."""

import numpy as np
import pytest

from synthmill.generators.videossr.settings import EVERYTHING, parse_sub_type
from synthmill.generators.videossr.solver import solve
from synthmill.sources.video.demo import panorama
from tests.generators.videossr.footage import (
    HEIGHT,
    WIDTH,
    clip_of,
    judged,
    made,
    moving,
    passes,
    shown_frames,
)

NEEDS_ORDER = ["grounding/shuffle", "grounding/slow", "grounding/fast", "jigsaw/6", "jigsaw/8"]
COLORS = ["grounding/grayscale", "grounding/noise"]


def leaves(count):
    """Foliage that shakes: from frame to frame much moves, and nothing leads anywhere."""
    rng = np.random.default_rng(4)
    behind = panorama(rng, WIDTH, HEIGHT)
    tree = panorama(rng, WIDTH + 40, HEIGHT + 40)
    for _ in range(count):
        x, y = rng.integers(0, 40, 2)
        frame = behind.copy()
        frame[30:, 20:170] = tree[y + 30 : y + HEIGHT, x + 20 : x + 170]
        yield frame


@pytest.fixture(scope="module")
def odd_clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    rng = np.random.default_rng(3)
    scenes = [panorama(rng, WIDTH, HEIGHT) for _ in range(48)]
    sets = {
        "montage": [scene for scene in scenes for _ in range(3)],
        "leaves": list(leaves(144)),
        "static": [scenes[0]] * 144,
    }
    return {name: clip_of(folder / f"{name}.mp4", frames) for name, frames in sets.items()}


@pytest.fixture(scope="module")
def questions(odd_clips, travel):
    """All sub-types of each odd clip, by clip and sub-type; some with two seeds."""
    found = {}
    for name, path in odd_clips.items():
        for seed, wanted in ((1, EVERYTHING), (2, [*NEEDS_ORDER, *COLORS])):
            for question in made(path, dict.fromkeys(wanted, seed), travel).questions:
                found.setdefault((name, str(question.sub_type)), []).append(question)
    return found


@pytest.mark.parametrize("sub_type", [*NEEDS_ORDER, "grounding/mirror", "grounding/rotate180"])
def test_a_montage_has_no_order_no_pace_and_no_side(questions, sub_type):
    for question in questions["montage", sub_type]:
        verdicts = judged(question)
        assert verdicts["scene_cuts"].reason == "too many cuts"
        assert verdicts["scene_cuts"].score > 0.9


@pytest.mark.parametrize("sub_type", NEEDS_ORDER)
def test_shaking_leaves_have_no_order_and_no_pace(questions, sub_type):
    assert not any(passes(question) for question in questions["leaves", sub_type])


def test_a_static_clip_gives_no_question(questions):
    static = [q for (clip, _), found in questions.items() if clip == "static" for q in found]
    assert static and not any(map(passes, static))


def test_only_what_the_blind_solver_answers_is_accepted(questions):
    accepted = [q for found in questions.values() for q in found if passes(q)]
    assert len(accepted) > 12
    for question in accepted:
        solved, chance = question.detail.solved, question.detail.chance
        assert solved.reward >= chance + 0.25 * (1 - chance), (question.sub_type, question.answer)


def test_colors_can_be_asked_about_whatever_moves(questions):
    for clip in ("montage", "leaves"):
        for sub_type in COLORS:
            assert any(map(passes, questions[clip, sub_type])), (clip, sub_type)
    assert any(map(passes, questions["leaves", "counting/easy"]))


@pytest.mark.parametrize("name", EVERYTHING)
def test_the_solver_answers_questions_about_a_travelling_camera(travel, splashes, name):
    """From the files alone, and not from what the record knows."""
    result = made(travel, {name: 11}, splashes)
    [question] = result.questions
    shown = [clip.astype(np.uint8) for clip in shown_frames(result, question)]
    answer = solve(parse_sub_type(name), shown, question.detail.fps, decimals=1)
    assert answer == question.detail.solved.answer
    assert question.detail.solved.reward > 0.75


def test_the_solver_finds_no_shapes_where_none_are_drawn(tmp_path):
    """Scenes with strokes and edges, but no flat circle, square or triangle."""
    frames = np.stack(list(moving(48)))
    assert solve(parse_sub_type("counting/easy"), [frames], 8.0, decimals=1) == "0,0,0"
