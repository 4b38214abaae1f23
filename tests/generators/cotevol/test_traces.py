"""Traces: steps, tokens on steps, answers; whatever a model writes."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.cotevol.traces import (
    MAX_STEPS,
    Lineage,
    Trace,
    split_steps,
    token_positions,
)
from synthmill.models.completion import Alternative, Completion, Token

TEXT = "Step 1: 7 * 8 = 56\nStep 2: 56 + 4 = 60\nThe answer is \\boxed{60}."


def trace(text: str, tokens: tuple[Token, ...] = ()) -> Trace:
    completion = Completion(text=text, tokens=tokens)
    return Trace(
        "t0", text, Lineage(operator="initial"), token_positions(completion, 0, 2.0, False)
    )


@pytest.mark.parametrize(
    ("text", "bodies"),
    [
        (TEXT, ["7 * 8 = 56", "56 + 4 = 60"]),
        ("step1: a\nstep2: b", ["a", "b"]),
        ("**Step 1:** a\n\n## Step 2 - b\nmore", ["a", "b\nmore"]),
        ("Let us see.\nStep 1: a\nStep 2: so \\boxed{2}", ["a", "so \\boxed{2}"]),
        ("first\n\nsecond\nHence \\boxed{1}", ["first", "second"]),
        ("only \\boxed{1}", ["only \\boxed{1}"]),
        ("", []),
        ("\n \n", []),
    ],
)
def test_steps(text: str, bodies: list[str]) -> None:
    assert [step.body for step in split_steps(text)] == bodies


@given(
    st.text(max_size=300)
    | st.lists(
        st.sampled_from(["Step 1: x", "\n", "\\boxed{", "}", "step 2", "é", "\u2028", " ", "7 = 7"])
    ).map("".join)
)
def test_steps_cover_the_text_in_order(text: str) -> None:
    steps = split_steps(text)
    assert all(step.start < step.end <= len(text) for step in steps)
    assert all(one.end == two.start for one, two in pairwise(steps))
    assert not steps or steps[0].start == 0


def test_a_runaway_text_has_a_bounded_number_of_steps() -> None:
    assert len(split_steps("Step 1: x\n" * 50_000)) == MAX_STEPS
    assert len(split_steps("x\n" * 50_000)) == MAX_STEPS


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (TEXT, "60"),
        ("\\boxed{1} no, \\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{1", None),
        ("\\boxed{{{{", None),
        ("nothing", None),
        ("\\boxed{}", ""),
        ("\\boxed{\u6c34}", "\u6c34"),
    ],
)
def test_answers(text: str, answer: str | None) -> None:
    assert trace(text).answer == answer


def spelled(*parts: tuple[str, list[float]]) -> tuple[Token, ...]:
    return tuple(
        Token(
            token=text,
            logprob=math.log(odds[0]),
            top=tuple(
                Alternative(token=f"{text}{i}", logprob=math.log(p)) for i, p in enumerate(odds)
            ),
        )
        for text, odds in parts
    )


def test_entropies_fall_on_their_steps() -> None:
    tokens = spelled(
        ("Step 1: ", [1.0]),
        ("a", [0.5, 0.5]),
        ("\n", [1.0]),
        ("Step 2: ", [0.5, 0.5]),
        ("b", [0.25] * 4),
        ("\n", [1.0]),
        ("So \\boxed{2}", [0.25] * 4),
    )
    found = trace("".join(token.token for token in tokens), tokens)
    assert found.step_entropies == pytest.approx([1 / 3, 1.0])
    assert found.confidence == pytest.approx((0.5 * 0.5 * 0.25 * 0.25) ** (1 / 7))


def test_rare_tokens_count_as_entropy_but_are_no_ways_on() -> None:
    odds = [0.9995, 0.0005]
    (place,) = trace("a", spelled(("a", odds))).positions
    assert [token for token, _ in place.top] == ["a0"]
    assert place.entropy == pytest.approx(-sum(p * math.log2(p) for p in odds))


def test_tokens_that_do_not_spell_the_text() -> None:
    cut = trace("Step 1: a", spelled(("Step 1: ", [1.0]), ("a", [1.0]), ("\nStop", [1.0])))
    assert [(p.start, p.end) for p in cut.positions] == [(0, 8), (8, 9)]
    ruled = trace("given b", spelled(("b", [1.0])))
    assert [(p.start, p.end) for p in ruled.positions] == [(6, 7)]
    assert trace("text", spelled(("other", [1.0]))).positions == ()
    assert trace("text").confidence is None
    assert trace("text").step_entropies == [0.0]
