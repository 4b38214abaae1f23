"""Reading equations: false ones are found, and nothing is read that may mean something else."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.filters.equations import equations
from tests.filters.candidates import make, pair, sft, task, told


def read(text: str) -> list[tuple[str, str, bool]]:
    return [(found.left, found.right, found.true) for found in equations(text)]


@pytest.mark.parametrize(
    "text",
    [
        "Step 1: 92 + 21 = 113",
        "Step 2 - 3 + 4 = 7",
        "There are 3 boxes, so 3 * 4 = 12 nuts.",
        "He has 12. 4 + 5 = 9, and then",
        r"$12 \times 3 = 36$",
        "12 × 3 = 36 and 12 ÷ 3 = 4",
        "1,200 + 34 = 1,234",
        "2^10 = 1024",
        "10 / 4 = 2.5",
        "10 / 3 = 3.33",
        "(3 + 4) * 2 = 14 = 28 / 2",
        "0.1 + 0.2 = 0.3",
        "-3 + 5 = 2",
    ],
)
def test_true_equations(text: str) -> None:
    found = read(text)
    assert found and all(true for *_, true in found), found


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("Step 5: 39 - 21 = 17", "39 - 21", "17"),
        ("so 7 * 8 = 54.", "7 * 8", "54"),
        ("12 × 3 = 38", "12 × 3", "38"),
        ("10 / 3 = 3.34", "10 / 3", "3.34"),
        ("3 + 4 = 7 = 7 * 2", "7", "7 * 2"),
        ("1,200 + 34 = 1,235 nuts", "1,200 + 34", "1,235"),
    ],
)
def test_false_equations(text: str, left: str, right: str) -> None:
    assert [found[:2] for found in read(text) if not found[2]] == [(left, right)]


@pytest.mark.parametrize(
    "text",
    [
        "x + 3 = 7",
        "2x + 3 = 7",
        "f(3 + 4) = 50",
        "log 8 / 2 = 1.5",
        "2 x 3 + 4 = 10",
        "3 times 4 + 5 = 17",
        "20% of 50 + 5 = 15",
        "5% + 3 = 8",
        "17 mod 5 = 2",
        "7 / 2 = 3 remainder 1",
        "7 / 2 = 3, remainder 1",
        "101 + 11 = 1000 in base 2",
        "10 + 5 = 3 o'clock",
        "7 - 2 = 5x",
        "C(5,2) = 10",
        "3 + 4 >= 5 and 3 + 4 != 8 and 3 + 4 == 8",
        "x = 5",
        "(3 + 4 = 7",
        "1 / 0 = 7 + 1",
        "9^9^9 = 1 + 1",
        "5 + 2 = 0 (mod 7)",
        "half of 3 + 4 = 2",
    ],
)
def test_what_may_mean_something_else_is_left_alone(text: str) -> None:
    assert read(text) == []


@given(st.integers(-999, 999), st.sampled_from("+-*"), st.integers(0, 999), st.integers(-2, 2))
def test_an_equation_is_true_exactly_where_both_sides_are_equal(
    left: int, sign: str, right: int, off: int
) -> None:
    value = {"+": left + right, "-": left - right, "*": left * right}[sign]
    (found,) = equations(f"Step 1: {left} {sign} {right} = {value + off}\n")
    assert (found.value, found.true) == (Fraction(value), off == 0)


@given(st.text(alphabet="0123456789 .,+-*/()^=x\n%$", max_size=200))
def test_any_text_is_read(text: str) -> None:
    list(equations(text))


@pytest.mark.parametrize("text", ["1 = " * 30_000, "1 " * 60_000 + "=", "(" * 60_000 + "=" * 9])
def test_hostile_texts_end(text: str) -> None:
    assert list(equations(text)) == []


def test_arithmetic() -> None:
    judge = make("arithmetic")
    assert told(judge, sft("Step 1: 7 * 8 = 56")) == ("pass", None)
    verdict = judge.judge(sft("Step 1: 7 * 8 = 56\nStep 2: 56 + 1 = 58"))
    assert (verdict.status, verdict.score) == ("fail", 0.5)
    assert verdict.detail == "56 + 1 = 58, but it is 57"
    assert told(judge, sft("no numbers here")) == ("skipped", "no equation between numbers")
    assert told(judge, task("1 + 1 = 3", "3"))[0] == "skipped"
    assert told(judge, pair("1 + 1 = 2", "1 + 1 = 3"))[0] == "pass"
    assert told(judge, pair("1 + 1 = 3", "1 + 1 = 2"))[0] == "fail"
