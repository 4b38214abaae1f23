"""Text of models may be anything: no filter that runs in place may take long over it, or raise."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmill.filters.answer_derivation import first_claim, first_result
from synthmill.filters.base import DiversityFilter, Filter, Verifier
from synthmill.filters.equations import equations
from synthmill.filters.load import PACKAGES, load_filter
from synthmill.filters.run import safe_judge
from synthmill.filters.text import normalize_text, split_steps
from synthmill.rewards.math_answers import equal_by_rule, stated_answer
from synthmill.rewards.squad import mentions, token_f1
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.plugins import available
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate

LENGTH = 40_000
SECONDS = 2.0  # of processor time; a quadratic reading of such a text takes minutes
# What the readers' patterns look for, and what makes them go back.
PIECES = (
    "answer", " is ", ": ", "* ", "#### ", "the given answer ", "solution ", "because ", "= ", "- ",
    "Step 1: ", "step", "\n", " ", "\t", ". ", "; ", ")", "'", "7 ", "7", "1,000 ", ".5", "/", "^",
    "x ", "word ", "\\boxed{", "\\boxed ", "}", "{", "\\text{", "\\frac{1}{2}", "\\", "$", "$$",
    "\\not", "\\leq ", "<think>", "</think>", "<FINAL_ANSWER>", "[", "(", "A", "é", "\u0315\u0300",
    "ﷺ", "\u3000", "😀", "\x00", "_", "#", ">",
)  # fmt: skip

# Filters of generators read their own rows alone.
IN_PLACE = [
    name
    for name in available(Filter, PACKAGES)
    if isinstance(load_filter(FilterSpec(name=name)), Verifier | DiversityFilter)
]


def texts() -> st.SearchStrategy[str]:
    """A short beginning, a piece or two repeated many times, and a short end."""
    some = st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
    repeated = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join)
    return st.builds(
        lambda start, piece, end: start + piece * (LENGTH // len(piece)) + end, some, repeated, some
    )


def candidates(text: str) -> list[Candidate]:
    return [
        Candidate(kind="sft", messages=[user("How many?"), assistant(text)], answer="7"),
        Candidate(kind="sft", messages=[user(text), assistant("\\boxed{7}")], answer=text),
        Candidate(
            kind="preference",
            messages=[user(text)],
            chosen=[assistant("So 3 + 4 = 7. The answer is 7.", reasoning=text)],
            rejected=[assistant(text)],
            answer="7",
        ),
        Candidate(kind="rlvr", messages=[user(text)], answer=text),
    ]


@pytest.mark.parametrize("name", IN_PLACE)
@settings(max_examples=25, deadline=None)
@given(text=texts())
def test_no_text_takes_long_or_raises(name: str, text: str) -> None:
    found = load_filter(FilterSpec(name=name))
    for candidate in candidates(text):
        start = time.process_time()
        if isinstance(found, Verifier) and found.cost == "cpu":
            found.fast_verdict(candidate)
        else:
            assert isinstance(found, Verifier | DiversityFilter)
            assert safe_judge(found, candidate).status != "error"
        if isinstance(found, DiversityFilter):
            found.add("row", candidate)
            assert safe_judge(found, candidate).status != "error"
        assert time.process_time() - start < SECONDS


@settings(max_examples=50, deadline=None)
@given(text=texts())
def test_no_reading_takes_long(text: str) -> None:
    readings = {
        "normalize_text": lambda: normalize_text(text),
        "split_steps": lambda: split_steps(text),
        "stated_answer": lambda: stated_answer(text),
        "equal_by_rule": lambda: (equal_by_rule("7", text), equal_by_rule(text, text + "x")),
        "equations": lambda: list(equations(text)),
        "first_result": lambda: first_result(text, text[-60:], text),
        "first_claim": lambda: (first_claim(text, text), first_claim(text, "7")),
        "token_f1": lambda: token_f1(text, text[:50]),
        "mentions": lambda: (mentions(text, text[1:]), mentions(text, text[1:200])),
    }
    for name, read in readings.items():
        start = time.process_time()
        read()
        assert time.process_time() - start < SECONDS, name


def test_the_texts_that_took_seconds() -> None:
    start = time.process_time()
    marks = "a" + 32_000 * "\u0315\u0300"
    assert normalize_text(marks) == normalize_text(marks)
    leak = load_filter(FilterSpec(name="answer_leak"))
    assert isinstance(leak, Verifier)
    for candidate in candidates(4_000 * "answer: * "):
        safe_judge(leak, candidate)
    assert time.process_time() - start < SECONDS


def test_marks_in_another_order_are_the_same_text() -> None:
    assert normalize_text("e\u0301\u0323") == normalize_text("e\u0323\u0301") == "ẹ́"
    assert normalize_text("ＡＢＣ  ﬁ\u00a0x") == "abc fi x"
