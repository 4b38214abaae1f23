"""Rewards against numbers worked out by hand, alone in an empty folder, and against chance."""

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.videossr import chance
from synthmill.generators.videossr.jigsaw import LABELS
from synthmill.generators.videossr.settings import EVERYTHING, VideossrSettings, parse_sub_type
from synthmill.rewards import videossr as rewards

FILE = Path(rewards.__file__)
MALFORMED = ["", " ", "abc", "the answer is 1.0-2.0", "1.0 to 2.0", "2.0-1.0", "1-2-3", "nan-nan"]


@pytest.mark.parametrize(
    ("answer", "truth", "reward"),
    [
        ("1.0-3.0", "1.0-3.0", 1.0),
        (" 1-3\n", "1.0-3.0", 1.0),
        ("2.0-4.0", "1.0-3.0", 1 / 3),  # one second of three is shared
        ("1.5-2.0", "1.0-3.0", 0.25),
        ("3.0-5.0", "1.0-3.0", 0.0),
        ("2.0-2.0", "2.0-2.0", 0.0),  # a union of length zero
        *((text, "1.0-3.0", 0.0) for text in MALFORMED),
        ("1" * 400 + "-2", "1.0-3.0", 0.0),
        ("١.٠-٣.٠", "1.0-3.0", 0.0),
    ],
)
def test_grounding(answer, truth, reward):
    assert rewards.grounding(answer, truth) == pytest.approx(reward)


@pytest.mark.parametrize(
    ("answer", "truth", "reward", "strict"),
    [
        ("3,1,4", "3,1,4", 1.0, 1.0),
        ("3, 1 and 4", "3,1,4", 1.0, 1.0),
        ("2,1,4", "3,1,4", (2 / 3 + 1 + 1) / 3, 2 / 3),
        ("9,1,4", "3,1,4", 2 / 3, 2 / 3),  # twice too many is as bad as none
        ("3,1", "3,1,4", 0.0, 0.0),
        ("3,1,4,1", "3,1,4", 0.0, 0.0),
        ("3,1,4.5", "3,1,4", 0.0, 0.0),
        ("none", "3,1,4", 0.0, 0.0),
        ("9" * 5000 + ",1,4", "3,1,4", 0.0, 0.0),
    ],
)
def test_counting(answer, truth, reward, strict):
    assert rewards.counting(answer, truth) == pytest.approx(reward)
    assert rewards.counting_strict(answer, truth) == pytest.approx(strict)


@pytest.mark.parametrize(
    ("answer", "truth", "reward"),
    [
        ("341562", "341562", 1.0),
        ("123456", "654321", 0.0),  # the reversal is the worst: 18 of 18
        ("213456", "123456", 1 - 2 / 18),
        ("12345678", "21345678", 1 - 2 / 32),
        ("12345", "123456", 0.0),
        ("1,2,3,4,5,6", "123456", 0.0),
        ("112345", "123456", 0.0),
        ("", "123456", 0.0),
        ("", "", 0.0),
    ],
)
def test_jigsaw(answer, truth, reward):
    assert rewards.jigsaw(answer, truth) == pytest.approx(reward)
    assert rewards.jigsaw_strict(answer, truth) == float(reward == 1.0)


@given(answer=st.text(), task=st.sampled_from(["grounding", "counting", "jigsaw", "shuffled"]))
def test_any_text_gets_a_reward_between_0_and_1(answer, task):
    truth = {"grounding": "1.0-3.0", "counting": "3,1,4"}.get(task, "341562")
    for strict in (False, True):
        assert 0.0 <= rewards.compute_score(task, answer, truth, {"strict": strict}) <= 1.0


def drawn(sub_type, settings, rng):
    """An answer drawn as the generator draws the truth."""
    if sub_type.task == "grounding":
        length = rng.randint(*settings.grounding.length)
        first = rng.randint(0, settings.sampling.frames - length)
        return f"{first:.1f}-{first + length:.1f}"
    if sub_type.task == "counting":
        level = getattr(settings.counting, sub_type.variant)
        return ",".join(
            str(sum(rng.randint(1, level.shapes) for _ in range(rng.randint(1, level.frames))))
            for _ in range(3)
        )
    return "".join(rng.sample(LABELS[: int(sub_type.variant)], int(sub_type.variant)))


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    "name", [n for n in EVERYTHING if not n.startswith("grounding")] + ["grounding/mirror"]
)
def test_random_answers_earn_the_computed_chance(name, strict):
    sub_type = parse_sub_type(name)
    settings = VideossrSettings(strict=[sub_type.task] if strict else [])
    rng = Random(name)
    scores = []
    for _ in range(20_000):
        truth, guess = drawn(sub_type, settings, rng), drawn(sub_type, settings, rng)
        scores.append(rewards.compute_score(sub_type.task, guess, truth, {"strict": strict}))
    # Three standard errors of 20,000 scores in 0..1 are at most 0.011.
    assert sum(scores) / len(scores) == pytest.approx(chance.chance(sub_type, settings), abs=0.011)


def test_documented_chance_levels():
    assert chance.grounding() == pytest.approx(0.216, abs=5e-4)
    assert chance.counting(3, 3) == pytest.approx(0.472, abs=5e-4)
    assert chance.counting(4, 4) == pytest.approx(0.447, abs=5e-4)
    assert chance.jigsaw(6) == pytest.approx(0.352, abs=5e-4)
    assert chance.jigsaw(8) == pytest.approx(0.344, abs=5e-4)


def test_a_shift_makes_guessing_worthless_and_keeps_right_right():
    assert rewards.compute_score("jigsaw", "341562", "341562", {"shift": 0.352}) == 1.0
    assert rewards.compute_score("jigsaw", "123456", "654321", {"shift": 0.352}) == 0.0
    assert rewards.shifted(0.352, 0.352) == 0.0
    assert rewards.shifted(0.676, 0.352) == pytest.approx(0.5)


def test_a_guess_that_cannot_fail_is_no_division_by_zero():
    assert rewards.compute_score("counting", "1,1,1", "1,1,1", {"shift": 1.0}) == 1.0
    assert rewards.compute_score("counting", "1,1,2", "1,1,1", {"shift": 1.0}) == 0.0


def test_unknown_tasks_are_refused():
    with pytest.raises(ValueError, match="no reward for data source 'maths'"):
        rewards.compute_score("maths", "1", "1")


ALONE = """
import json, sys, rewards
assert not any(name.split(".")[0] in ("schemas", "generators") for name in sys.modules)
print(json.dumps([
    rewards.compute_score("videossr.grounding@1", "2.0-4.0", "1.0-3.0"),
    rewards.compute_score(data_source="shuffled", solution_str="213456", ground_truth="123456",
                          extra_info=None),
    *rewards.trl_reward(
        completions=[[{"role": "assistant", "content": "3,1,4"}], "9"],
        prompts=["", ""], data_source=["counting"] * 2, ground_truth=["3,1,4"] * 2,
        extra_info=[{"strict": None, "shift": None}, None]),
    *rewards.trl_reward(["1-3"], data_source=["grounding"], solution=["1-3"]),
]))
"""


def test_the_file_works_alone(tmp_path):
    """Without our rooms beside it and without any installed package (`-I -S`)."""
    (tmp_path / "rewards.py").write_bytes(FILE.read_bytes())
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.')\n{ALONE}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == pytest.approx([1 / 3, 1 - 2 / 18, 1.0, 0.0, 1.0])
