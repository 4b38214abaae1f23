"""Prompts: no ground truth in any of them by default, and what the shipped model needs of them."""

import json
from random import Random

import pytest

from synthmill.generators.cotevol import offline, prompts
from synthmill.generators.cotevol.prompts import (
    Author,
    Critique,
    Evaluate,
    Evaluation,
    Guidance,
    Refine,
)
from synthmill.generators.cotevol.traces import first_steps, split_steps
from synthmill.models.offline import Continuation, offline_answer
from synthmill.models.prompt import Prompt
from tests.generators.cotevol.scripted import problem, searched

TRUTH = "110"
PROBLEM = "Ana has 7 boxes of 8 pens. Ana buys 4 more. How many pens does Ana have now?"
RIGHT = "Step 1: 7 * 8 = 56\nStep 2: 56 + 4 = 60\nThe answer is \\boxed{60}."
WRONG = "Step 1: 7 * 8 = 54\nStep 2: 54 + 4 = 58\nThe answer is \\boxed{58}."
ASTRAY = "Step 1: 7 * 8 = 56\nStep 2: 56 + 9 = 65\nThe answer is \\boxed{65}."


def prompt_classes() -> set[type[Prompt]]:  # type: ignore[type-arg]
    values = (v for v in vars(prompts).values() if isinstance(v, type))
    own = (v for v in values if v.__module__.startswith(prompts.__name__))
    return {v for v in own if issubclass(v, Prompt) and "[" not in v.__name__}


def shown(asked: Prompt, own: list[str]) -> str:  # type: ignore[type-arg]
    """A prompt's text without the texts of the traces that it quotes."""
    text = asked.messages()[0].content or ""
    for trace in sorted(own, key=len, reverse=True):
        text = text.replace(trace, "")
    return text


@pytest.mark.parametrize(
    "settings",
    [
        {"strategy": "cotevol"},
        {"strategy": "cotevol", "preset": "paper", "rounds": 6},
        {"strategy": "cotevol", "preset": "paper", "rounds": 6, "mutation_target": "parent"},
        {"strategy": "self_refine"},
        {"strategy": "best_of_n"},
    ],
)
async def test_no_prompt_holds_the_answer(settings: dict[str, object]) -> None:
    seen = set()
    for seed in range(12):
        session, _, context = await searched(problem(answer=TRUTH), seed=seed, **settings)
        own = [trace.text for trace in session.archive]
        for asked, _prefix in context.asked:
            seen.add(type(asked))
            said = shown(asked, own)
            if isinstance(asked, Author):  # a state that the critic read in a parent's text
                said = said.replace(asked.guidance.intermediate_result, "")
            assert TRUTH not in said
    assert seen


async def test_the_whole_default_path_uses_every_prompt_but_the_self_judge() -> None:
    """So that no prompt escapes the test above."""
    seen = set()
    for settings in (
        {},
        {"preset": "paper", "rounds": 9},
        {"strategy": "self_refine"},
    ):
        for seed in range(12):
            _, _, context = await searched(problem(), seed=seed, **settings)
            seen |= {type(asked) for asked, _ in context.asked}
    assert prompt_classes() - seen == {Evaluate}


async def test_without_a_truth_there_is_nothing_to_leak_and_the_model_judges() -> None:
    session, _, context = await searched(problem(answer=None))
    assert any(isinstance(asked, Evaluate) for asked, _ in context.asked)
    assert all(trace.right is not None for trace in session.archive)
    critiques = [asked for asked, _ in context.asked if isinstance(asked, Critique)]
    assert all(critique.case == "unlabelled" for critique in critiques)


async def test_the_papers_mode_gives_the_truth_to_mutations_alone() -> None:
    holders = set()
    for seed in range(6):
        _, _, context = await searched(
            problem(answer=TRUTH), seed=seed, preset="paper", ground_truth_in_prompts=True
        )
        for asked, _ in context.asked:
            if getattr(asked, "truth", None) is not None:
                assert TRUTH in (asked.messages()[0].content or "")
                holders.add(asked.prompt_name())
    assert holders == {"mutate_local", "mutate_global"}


def examples() -> list[Prompt]:  # type: ignore[type-arg]
    guidance = Guidance(intermediate_result="56", guidance_summary="x", keep="first", keep_steps=1)
    values = {
        "problem": PROBLEM,
        "first": RIGHT,
        "second": WRONG,
        "previous": RIGHT,
        "draft": RIGHT,
        "solution": RIGHT,
        "guidance": guidance,
        "begun": False,
    }
    return [
        cls(**{name: values[name] for name in cls.model_fields if name in values})
        for cls in sorted(prompt_classes(), key=lambda cls: cls.__name__)
    ]


@pytest.mark.parametrize("prompt", examples(), ids=lambda p: p.prompt_name())
def test_the_last_paragraph_is_the_problem(prompt: Prompt) -> None:  # type: ignore[type-arg]
    text = prompt.messages()[0].content or ""
    assert text.split("\n\n")[-1] == f"Problem: {PROBLEM}"
    assert text.split("Problem:")[-1].strip().split("\n\n")[0] == PROBLEM


@pytest.mark.parametrize("prompt", examples(), ids=lambda p: p.prompt_name())
def test_embedded_answers_are_of_the_declared_type(prompt: Prompt) -> None:  # type: ignore[type-arg]
    for seed in range(10):
        answer = offline_answer(prompt, Random(seed))
        if isinstance(answer, Continuation):
            assert answer.problem == PROBLEM
        else:
            type(prompt).answer_type().model_validate(json.loads(answer))


@pytest.mark.parametrize("labels", [(None, None), (True, True), (True, False), (False, False)])
def test_the_critics_cases(labels: tuple[bool | None, bool | None]) -> None:
    critique = Critique(
        problem=PROBLEM, first=RIGHT, second=ASTRAY, first_right=labels[0], second_right=labels[1]
    )
    texts = {
        (None, None): "Nobody has checked",
        (True, True): "Both solutions are right",
        (True, False): "The first solution is right",
        (False, False): "Both solutions are wrong",
    }
    assert texts[labels] in (critique.messages()[0].content or "")


def test_the_critic_keeps_what_precedes_the_fault() -> None:
    fusion = Critique(
        problem=PROBLEM, first=ASTRAY, second=RIGHT, first_right=False, second_right=True
    )
    guidance = Guidance.model_validate_json(offline_answer(fusion, Random(0)))
    assert (guidance.keep, guidance.keep_steps, guidance.intermediate_result) == ("second", 1, "56")


def test_the_reader_sees_where_numbers_come_from() -> None:
    found = [offline.doubtful_step(PROBLEM, ASTRAY, Random(seed)) for seed in range(50)]
    assert set(found) == {None, 1} and found.count(1) > 35
    assert {offline.doubtful_step(PROBLEM, RIGHT, Random(seed)) for seed in range(50)} == {None}


def test_the_reader_cannot_compute() -> None:
    """It must not be an oracle: a wrong product that is used consistently goes unnoticed."""
    assert {offline.doubtful_step(PROBLEM, WRONG, Random(seed)) for seed in range(50)} == {None}
    assert offline.contradicted_step(WRONG, RIGHT) == 0
    assert offline.contradicted_step(RIGHT, RIGHT) is None


def test_the_reader_notices_what_was_forgotten() -> None:
    short = "Step 1: 7 * 8 = 56\nThe answer is \\boxed{56}."
    found = [offline.doubtful_step(PROBLEM, short, Random(seed)) for seed in range(50)]
    assert set(found) == {None, 0}


def test_an_opinion_is_no_certainty() -> None:
    scores = [
        Evaluation.model_validate_json(
            offline_answer(Evaluate(problem=PROBLEM, solution=RIGHT), Random(seed))
        ).score
        for seed in range(100)
    ]
    assert set(scores) == {0.2, 0.8} and scores.count(0.8) > 70


@pytest.mark.parametrize("count", [-1, 0, 1, 2, 99])
def test_first_steps(count: int) -> None:
    kept = first_steps(RIGHT, count)
    assert RIGHT.startswith(kept)
    assert len(split_steps(kept)) == max(0, min(count, 2))


def test_a_draft_without_steps_is_written_anew() -> None:
    answer = offline_answer(Refine(problem=PROBLEM, draft=""), Random(0))
    assert answer == Continuation(problem=PROBLEM)
