"""MMLongBench-Doc's score: the benchmark's own behaviour, case by case, and that nothing raises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.rewards import reward
from synthmill.rewards.mmlongbench import (
    FORMATS,
    UNANSWERABLE,
    Totals,
    anls,
    cleaned,
    mmlongbench_score,
    totals,
)

CASES = [
    ("Int", "10", "10", 1.0),
    ("Int", "10.7", "10", 1.0),  # int(float(...)) drops it
    ("Int", "1,000", "1000", 0.0),
    ("Int", "10%", "10", 0.0),
    ("Int", "1e400", "10", 0.0),
    ("Int", "", "", 0.0),
    ("Float", "0.1829", "18.29%", 1.0),
    ("Float", "18.4", "18.29%", 1.0),
    ("Float", "18.5", "18.29%", 0.0),
    ("Float", "$ 1829", "18.29", 1.0),
    ("Float", "0", "0.004", 1.0),  # equal after rounding to two decimals
    ("Float", "714.3 million", "714.3", 0.0),
    ("Float", "714.3", "714.3 million", 0.0),  # the benchmark raises
    ("Str", "Kitten", "kitten (cat)", 1.0),
    ("Str", "kittens", "kitten", 6 / 7),
    ("Str", "sitting", "kitten", 4 / 7),
    ("Str", "dog", "kitten", 0.0),
    ("Str", "5 miles", "5", 0.0),  # its removal of units has no effect
    ("Str", "555-1235", "555-1234", 0.0),
    ("Str", "2020-01-02", "2020-01-03", 0.0),
    ("Str", "https://a.org/x", "https://a.org/y", 0.0),
    ("Str", "page 13", "page 12", 0.0),
    ("Str", "10:30 p.m.", "10:30 a.m.", 0.0),
    ("Str", "run.pyc", "run.py", 0.0),
    ("None", "not answerable", UNANSWERABLE, 1.0),
    ("None", "12", UNANSWERABLE, 0.0),
    ("List", "['Jun', 'Aug']", "['June', 'Aug']", 0.75),
    ("List", "['Aug', 'June']", "['June', 'Aug']", 1.0),
    ("List", "['June']", "['June', 'Aug']", 0.0),
    ("List", "June", "['June']", 1.0),
    ("List", "[2, 1]", "[1, 2]", 1.0),
    ("List", "['1', '3']", "['1', '2']", 0.0),
    ("List", "[June, Aug]", "['June', 'Aug']", 0.0),  # the benchmark raises
    ("List", "['June', 'Aug']", "[June", 0.0),  # the benchmark raises
    ("List", "[__import__('os').getcwd()]", "['a']", 0.0),
    ("List", "[" * 5000, "['a']", 0.0),
    ("List", "[]", "[]", 0.0),  # the benchmark raises
]


@pytest.mark.parametrize(("answer_format", "predicted", "truth", "score"), CASES)
def test_the_benchmarks_cases(answer_format: str, predicted: str, truth: str, score: float) -> None:
    assert mmlongbench_score(predicted, truth, answer_format) == pytest.approx(score)


def test_it_is_found_by_name_and_reads_final_answers() -> None:
    score = reward("mmlongbench@1")
    response = "<think>18?</think>It is <answer>18.3</answer> [2.1]"
    assert score(response, "18.29%", {"answer_format": "Float"}) == 1.0
    assert score("kittens", "kitten") == pytest.approx(6 / 7)
    assert score("kittens", "kitten", {"above": 0.9}) == 0.0
    with pytest.raises(ValueError, match="no answer format 'Number'; known: Int, Float, Str"):
        score("1", "1", {"answer_format": "Number"})


def test_totals_are_the_benchmarks() -> None:
    samples = [(1.0, "4", "4"), (0.5, "tern", "stern"), (0.0, UNANSWERABLE, "9")]
    samples += [(1.0, UNANSWERABLE, UNANSWERABLE), (0.0, "7", UNANSWERABLE)]
    assert totals(samples) == Totals(0.5, 1.5 / 3, 1.5 / 3, 0.5)
    assert totals([]) == totals([(0.0, UNANSWERABLE, "9")]) == Totals(0, 0, 0, 0)


answers = st.one_of(
    st.text(max_size=40),
    st.lists(st.one_of(st.text(max_size=8), st.integers(), st.none()), max_size=4).map(repr),
    st.floats().map(str),
    st.text(alphabet="[]()'\"$%,.-0123456789eEa ", max_size=40),
)


@given(answers, answers, st.sampled_from(FORMATS))
def test_no_pair_of_strings_raises(predicted: str, truth: str, answer_format: str) -> None:
    assert 0.0 <= mmlongbench_score(predicted, truth, answer_format) <= 1.0


@given(st.text(max_size=12), st.text(max_size=12))
def test_anls_is_symmetric_and_bounded(one: str, other: str) -> None:
    assert anls(one, other) == anls(other, one)
    assert anls(one, one) == 1.0
    assert anls(one, other) == 0.0 or 0.5 < anls(one, other) <= 1.0


def reference_distance(one: str, other: str) -> int:
    """Levenshtein's distance by its recursive definition."""
    if not one or not other:
        return len(one) + len(other)
    rest: Any = reference_distance
    if one[0] == other[0]:
        return int(rest(one[1:], other[1:]))
    return 1 + min(rest(one[1:], other), rest(one, other[1:]), rest(one[1:], other[1:]))


@given(st.text("ab", min_size=1, max_size=5), st.text("ab", min_size=1, max_size=5))
def test_anls_follows_the_definition_of_the_distance(one: str, other: str) -> None:
    similarity = 1 - reference_distance(one, other) / max(len(one), len(other))
    assert anls(one, other) == pytest.approx(similarity if similarity > 0.5 else 0.0)


@given(st.floats(0.01, 1e6), st.sampled_from([0.01, 1.0, 100.0]), st.floats(-0.009, 0.009))
def test_a_float_is_right_within_one_percent_at_each_scale(
    true: float, scale: float, off: float
) -> None:
    said = true * scale * (1 + off)
    assert mmlongbench_score(f"{said:.12f}", f"{true:.12f}", "Float") == 1.0


@given(st.text(max_size=30))
def test_only_one_pair_of_quotes_is_removed(text: str) -> None:
    assert not cleaned(text).endswith("%") and not cleaned(text).startswith("$")
