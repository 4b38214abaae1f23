"""Entropy of tokens and steps at worked values, and the temperature that follows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.cotevol.operators import mutation_temperature
from synthmill.generators.cotevol.traces import step_entropy, token_entropy

LOGPROBS = st.lists(st.floats(-20, 0), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("probabilities", "base", "renormalize", "value"),
    [
        ([1.0], 2, False, 0.0),
        ([0.5, 0.5], 2, False, 1.0),
        ([0.25] * 4, 2, False, 2.0),
        ([0.2] * 5, 2, False, math.log2(5)),
        ([0.5, 0.5], math.e, False, math.log(2)),
        ([0.25, 0.25], 2, False, 1.0),  # the half that is not shown counts nothing
        ([0.25, 0.25], 2, True, 1.0),
        ([0.5, 0.25], 2, False, 1.0),
        ([0.6, 0.2], 2, True, 0.811278),
        ([], 2, False, 0.0),
    ],
)
def test_token_entropy(
    probabilities: list[float], base: float, renormalize: bool, value: float
) -> None:
    logprobs = [math.log(p) for p in probabilities]
    assert token_entropy(logprobs, base, renormalize) == pytest.approx(value, abs=1e-6)


@given(LOGPROBS)
def test_entropy_is_bounded_by_the_uniform_one(logprobs: list[float]) -> None:
    entropy = token_entropy(logprobs, 2, renormalize=True)
    assert -1e-9 <= entropy <= math.log2(len(logprobs)) + 1e-9


def test_impossible_tokens_count_nothing() -> None:
    assert token_entropy([0.0, -math.inf]) == 0.0


def test_step_entropy_is_the_mean() -> None:
    assert step_entropy([0.0, 1.0, 2.0]) == 1.0
    assert step_entropy([]) == 0.0


@pytest.mark.parametrize(
    ("entropy", "value"), [(0.0, 0.6), (0.2, 1.2), (0.5, 2.0), (math.log2(5), 2.0)]
)
def test_mutation_temperature(entropy: float, value: float) -> None:
    assert mutation_temperature(entropy, 0.6, 5.0, 2.0) == pytest.approx(value)


def test_the_bound_is_needed() -> None:
    assert mutation_temperature(math.log2(5), 0.6, 5.0, 99) == pytest.approx(7.57, abs=0.01)
