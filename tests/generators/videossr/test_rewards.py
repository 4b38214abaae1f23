"""Rewards against numbers worked out by hand, alone in an empty folder, and against chance."""

import json
import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.videossr import chance, counting, grounding, jigsaw
from synthmill.generators.videossr.jigsaw import LABELS
from synthmill.generators.videossr.settings import EVERYTHING, VideossrSettings, parse_sub_type
from synthmill.rewards import videossr as rewards

FILE = Path(rewards.__file__)
MALFORMED = ["", " ", "abc", "the answer is 1.0", "1.0 2.0", "2.0-1.0", "1-2-3", "nan-nan"]


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
        ("1,2,3,4,5,6,1", "123456", 0.0),
        ("112345", "123456", 0.0),
        ("", "123456", 0.0),
        ("", "", 0.0),
    ],
)
def test_jigsaw(answer, truth, reward):
    assert rewards.jigsaw(answer, truth) == pytest.approx(reward)
    assert rewards.jigsaw_strict(answer, truth) == float(reward == 1.0)


THOUGHT = "<think>At first 1.0-3.0 or 3,1,4 or 123456, but then 2, 3 and 9.</think>"
FORMS = [
    "{}",
    " {}\n",
    "<answer>{}</answer>",
    THOUGHT + "{}",
    THOUGHT + "\n\n<answer> {} </answer>",
    "The answer is {}.",
    "**{}**",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("task", "right", "spaced", "wrong"),
    [
        ("grounding", "14.5-26.2", ["14.5 - 26.2", "14.5s-26.2s", "14.5 to 26.2"], "1.0-2.0"),
        ("counting", "3,1,4", ["3, 1, 4", "3 circles, 1 square, 4 triangles"], "9,9,9"),
        ("jigsaw", "341562", ["3, 4, 1, 5, 6, 2", "3 4 1 5 6 2", "3>4>1>5>6>2"], "265143"),
    ],
)
def test_forms_around_the_answer_neither_cost_nor_earn(task, right, spaced, wrong, form):
    for answer in (right, *spaced):
        assert rewards.compute_score(task, form.format(answer), right) == pytest.approx(1.0)
    assert rewards.compute_score(task, form.format(wrong), right) < 0.4
    assert rewards.compute_score(task, form.format(""), right) == 0.0
    assert rewards.compute_score(task, form.format(f"{wrong} or {right}"), right) == 0.0


@pytest.mark.parametrize("task", ["grounding", "counting", "jigsaw"])
def test_a_thought_that_does_not_end_and_an_endless_answer_earn_nothing(task):
    right = {"grounding": "14.5-26.2", "counting": "3,1,4"}.get(task, "341562")
    for answer in (f"<think>it is 7 and {right}", f"{right} and " * 5000):
        assert rewards.compute_score(task, answer, right) == 0.0


def published(task, answer, truth):
    """The published rewards, of well-formed truths."""
    if task == "grounding":
        found = re.fullmatch(r"([0-9.]+)-([0-9.]+)", answer.strip())
        if not found:
            return 0.0
        (a, b), (c, d) = (map(float, span) for span in (found.groups(), truth.split("-")))
        shared, union = min(b, d) - max(a, c), max(b, d) - min(a, c)
        return max(0.0, shared) / union if a <= b and union > 0 else 0.0
    if task == "counting":
        given, right = (list(map(int, re.findall(r"[0-9]+", t))) for t in (answer, truth))
        if len(given) != 3:
            return 0.0
        return (
            sum(max(0, 1 - abs(a - b) / (b + 1e-9)) for a, b in zip(given, right, strict=True)) / 3
        )
    answer = answer.strip()
    if sorted(answer) != sorted(truth):
        return 0.0
    return 1 - sum(abs(answer.index(c) - truth.index(c)) for c in truth) / (len(truth) ** 2 // 2)


SECONDS = st.integers(0, 300).map(lambda tenths: f"{tenths / 10:.1f}")
WELL_FORMED = {
    "grounding": st.tuples(SECONDS, SECONDS).map("-".join),
    "counting": st.lists(st.integers(0, 12).map(str), min_size=3, max_size=3).map(", ".join),
    "jigsaw": st.permutations("123456").map("".join),
}


@given(data=st.data(), task=st.sampled_from(sorted(WELL_FORMED)))
def test_where_the_published_rewards_give_a_score_ours_are_equal(data, task):
    truth = {"grounding": "10.0-14.5", "counting": "3,1,4"}.get(task, "341562")
    answer = data.draw(WELL_FORMED[task])
    assert rewards.compute_score(task, answer, truth) == pytest.approx(
        published(task, answer, truth)
    )


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
    return jigsaw.answer(jigsaw.shuffled(int(sub_type.variant), rng))


TASKS = [n for n in EVERYTHING if not n.startswith("grounding")] + ["grounding/mirror"]
DRAWS = 5_000  # three standard errors of their mean, in 0..1, are at most 0.022


def answers(sub_type, settings, rng):
    """Answers that look at nothing: those in the middle, extremes, the example of the question."""
    if sub_type.task == "grounding":
        return [
            "10.0-38.0",
            "31.0-45.0",
            "16.0-32.0",
            "0.0-48.0",
            "0.0-16.0",
            "20.0-28.0",
            "14.5-26.2",
        ]
    if sub_type.task == "counting":
        return ["2,2,2", "3,3,3", "4,4,4", "5,5,5", "1,1,1", "3,1,4", "9,9,9", "0,0,0"]
    labels = LABELS[: int(sub_type.variant)]
    return [labels, labels[::-1], labels[1:] + labels[0], "".join(rng.sample(labels, len(labels)))]


def mean(sub_type, settings, given, truths):
    extra = {"strict": sub_type.task in settings.strict}
    pairs = zip(given, truths, strict=True)
    return sum(rewards.compute_score(sub_type.task, a, t, extra) for a, t in pairs) / len(truths)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("name", TASKS)
def test_answers_that_look_at_nothing_earn_the_computed_levels(name, strict):
    sub_type = parse_sub_type(name)
    settings = VideossrSettings(strict=[sub_type.task] if strict else [])
    rng = Random(name)
    truths = [drawn(sub_type, settings, rng) for _ in range(DRAWS)]
    random = [drawn(sub_type, settings, rng) for _ in range(DRAWS)]
    level = chance.chance_levels(sub_type, settings).random_guess
    assert mean(sub_type, settings, random, truths) == pytest.approx(level, abs=0.022)
    best = chance.chance_levels(sub_type, settings).best_constant
    constants = [
        mean(sub_type, settings, [answer] * DRAWS, truths)
        for answer in answers(sub_type, settings, rng)
    ]
    assert max(constants) == pytest.approx(best, abs=0.022)
    assert level <= best


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("answer", ["", "I cannot tell.", "1 2 3 4 5 6 7 8 9", "{question}", "0"])
def test_empty_evasive_and_echoed_answers_earn_nothing(name, answer):
    sub_type, settings, rng = parse_sub_type(name), VideossrSettings(), Random(name)
    question = {"grounding": grounding.QUESTION, "counting": counting.QUESTION}.get(
        sub_type.task, jigsaw.SEPARATE + jigsaw.FORM
    )
    answer = answer.format(question=question.format(n=6, phrase="", example="123456"))
    truths = [drawn(sub_type, settings, rng) for _ in range(300)]
    earned = mean(sub_type, settings, [answer] * len(truths), truths)
    # The echoed question holds its own example, which is one constant answer among others.
    best = chance.chance_levels(sub_type, settings).best_constant
    assert earned <= best * ("example" in answer) + 0.02


def test_documented_chance_levels():
    for strict, levels in ((False, SMOOTH_LEVELS), (True, STRICT_LEVELS)):
        settings = VideossrSettings(strict=["grounding", "counting", "jigsaw"] if strict else [])
        for name, levels_of in levels.items():
            found = chance.chance_levels(parse_sub_type(name), settings)
            assert found == pytest.approx(levels_of, abs=6e-4)


SMOOTH_LEVELS = {
    "grounding/mirror": (0.306, 0.216),
    "counting/easy": (0.583, 0.472),
    "counting/hard": (0.548, 0.447),
    "jigsaw/6": (0.352, 0.352),
    "jigsaw/8": (0.344, 0.344),
}
STRICT_LEVELS = {
    "grounding/mirror": (0.106, 0.081),
    "counting/easy": (0.198, 0.140),
    "counting/hard": (0.122, 0.085),
    "jigsaw/6": (0.0014, 0.0014),
    "jigsaw/8": (0.00002, 0.00002),
}


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
