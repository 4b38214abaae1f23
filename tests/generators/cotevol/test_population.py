"""ROUGE-L, distinctness, survivors and convergence."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.filters.rouge import rouge_l
from synthmill.generators.cotevol.population import converged, distinct, survivors
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.traces import Lineage, Trace


def trace(name: str, text: str = "", right: bool = False, **fields: object) -> Trace:
    text = text or f"Step 1: {name} = 1\nThe answer is \\boxed{{1}}."
    return Trace(name, text, Lineage(operator="initial"), right=right, **fields)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ("a b c d", "a b c d", 1.0),
        ("a b c d", "a c", 2 * 2 / 6),
        ("a b", "c d", 0.0),
        ("A b", "a B", 1.0),
        ("", "", 1.0),
        ("a", "", 0.0),
        ("3+4=7", "3 + 5 = 8", 2 * 3 / 10),
    ],
)
def test_rouge_l(first: str, second: str, value: float) -> None:
    assert rouge_l(first, second) == pytest.approx(value)


@given(st.text(max_size=60), st.text(max_size=60))
def test_rouge_l_is_symmetric_and_bounded(first: str, second: str) -> None:
    assert 0 <= rouge_l(first, second) == rouge_l(second, first) <= 1
    assert rouge_l(first, first) == 1


def test_of_two_that_are_alike_one_stays_at_random() -> None:
    twins = [trace("t0", "a b c d e"), trace("t1", "a b c d f"), trace("t2", "q r s")]
    kept = {tuple(t.id for t in distinct(twins, 0.7, Random(seed))) for seed in range(20)}
    assert kept == {("t0", "t2"), ("t1", "t2")}
    assert len(distinct(twins, 1.0, Random(0))) == 3


def test_survivors_are_the_fittest_and_a_right_one_is_never_lost() -> None:
    wrong = [trace(f"w{i}", f"Step 1: {'long ' * i}\n\\boxed{{2}}") for i in range(9)]
    settings = CotevolSettings(population_size=3)
    left = survivors([*wrong, trace("right", "no steps \\boxed{1", right=True)], settings)
    assert left[0].id == "right" and len(left) == 3


def test_a_leaking_trace_counts_as_wrong() -> None:
    told = trace("told", right=True, fault="speaks of a given answer")
    honest = trace("honest", right=True)
    assert survivors([told, honest], CotevolSettings())[0] is honest
    assert not told.good


def test_convergence() -> None:
    right, other, wrong = trace("a", right=True), trace("b", right=True), trace("c")
    assert converged([right, wrong], [right, other])
    assert not converged([other], [right])
    assert not converged([right], [right, wrong])
    assert not converged([], [])
