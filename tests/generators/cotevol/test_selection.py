"""Boltzmann selection at worked values, and as a draw."""

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.cotevol.population import boltzmann, sample_without_replacement


def test_boltzmann_at_worked_values() -> None:
    low, high = boltzmann([0.5, 2.5])
    assert high / low == pytest.approx(math.e**2)
    assert boltzmann([1.0, 1.0, 1.0]) == pytest.approx([1 / 3] * 3)
    low, high = boltzmann([0.0, 1.0], temperature=0.5)
    assert high / low == pytest.approx(math.e**2)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=9), st.floats(0.01, 100))
def test_boltzmann_is_a_distribution_in_the_order_of_fitness(
    fitness: list[float], temperature: float
) -> None:
    odds = boltzmann(fitness, temperature)
    assert math.fsum(odds) == pytest.approx(1)
    assert odds[fitness.index(max(fitness))] == max(odds)


def test_boltzmann_of_nobody_and_at_no_temperature() -> None:
    assert boltzmann([]) == []
    with pytest.raises(ValueError, match="positive"):
        boltzmann([1.0], 0)


def test_sampling_takes_no_item_twice_and_follows_the_weights() -> None:
    firsts = Counter(
        sample_without_replacement(Random(i), "ab", [0.25, 0.75], 2)[0] for i in range(2000)
    )
    assert firsts["b"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert sorted(sample_without_replacement(Random(0), "abc", [1.0, 0.0, 0.0], 3)) == [
        "a",
        "b",
        "c",
    ]
    assert sample_without_replacement(Random(0), "", [], 2) == []
