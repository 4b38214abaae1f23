"""The paper's fitness at worked values, and the order our ranking never breaks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.cotevol.population import length_reward, paper_fitness, ranked_fitness


@pytest.mark.parametrize(
    ("right", "length", "longest", "value"),
    [
        # cos(0) = 1, cos(pi / 3) = .5, cos(pi / 2) = 0, cos(pi) = -1.
        (True, 0, 300, 1.0),
        (True, 100, 300, 0.875),
        (True, 150, 300, 0.75),
        (True, 300, 300, 0.5),
        (False, 0, 300, 0.5),
        (False, 100, 300, 0.625),
        (False, 150, 300, 0.75),
        (False, 300, 300, 1.0),
    ],
)
def test_length_reward(right: bool, length: int, longest: int, value: float) -> None:
    assert length_reward(right, length, longest) == pytest.approx(value)


@pytest.mark.parametrize(("length", "longest"), [(-1, 3), (4, 3), (0, 0)])
def test_length_reward_out_of_range(length: int, longest: int) -> None:
    with pytest.raises(ValueError, match="not within"):
        length_reward(True, length, longest)


@pytest.mark.parametrize(
    ("right", "numeric", "parses", "length", "value"),
    [
        (True, True, True, 0, 2.5),
        (True, True, True, 10, 2.0),
        (False, True, True, 10, 2.0),  # the tie that the ranking mends
        (True, True, False, 5, 1.75),
        (False, True, True, 0, 1.5),
        (False, False, False, 0, 0.5),
        (False, False, True, 10, 1.5),
    ],
)
def test_paper_fitness(right: bool, numeric: bool, parses: bool, length: int, value: float) -> None:
    assert paper_fitness(right, numeric, parses, length, 10) == pytest.approx(value)


LENGTHS = st.integers(0, 1000)
CONFIDENCE = st.none() | st.floats(0, 1)


@given(st.booleans(), st.booleans(), LENGTHS, LENGTHS, CONFIDENCE, CONFIDENCE)
def test_no_wrong_trace_outranks_a_right_one(
    parses: bool, wrong_parses: bool, one: int, two: int, sure: float | None, unsure: float | None
) -> None:
    right = ranked_fitness(True, parses, one, 1000, sure)
    wrong = ranked_fitness(False, wrong_parses, two, 1000, unsure)
    assert right > wrong or (not parses and wrong_parses and right >= 2.0 > wrong)


@given(st.booleans(), LENGTHS, LENGTHS, CONFIDENCE, CONFIDENCE)
def test_format_comes_before_the_rest(
    right: bool, one: int, two: int, sure: float | None, unsure: float | None
) -> None:
    with_box = ranked_fitness(right, True, one, 1000, sure)
    assert with_box > ranked_fitness(right, False, two, 1000, unsure)


@given(LENGTHS, LENGTHS)
def test_the_shorter_of_two_right_ones_is_better(one: int, two: int) -> None:
    short, long = sorted((one, two))
    assert ranked_fitness(True, True, short, 1000) >= ranked_fitness(True, True, long, 1000)
