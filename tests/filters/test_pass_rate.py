"""The band of pass rates."""

import pytest

from synthmill.filters.load import load_filter
from synthmill.schemas.errors import InputError
from synthmill.schemas.messages import user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate


def problem(rate: float | None) -> Candidate:
    return Candidate(kind="rlvr", messages=[user("1 + 1 = ?")], answer="2", pass_rate=rate)


@pytest.mark.parametrize(
    ("rate", "status", "reason"),
    [
        (0.0, "fail", "too hard"),
        (0.25, "pass", None),
        (0.3, "pass", None),
        (0.8, "pass", None),
        (0.9, "fail", "too easy"),
        (1.0, "fail", "too easy"),
        (None, "skipped", "no pass rate"),
    ],
)
def test_what_lies_in_the_band_passes(rate: float | None, status: str, reason: str | None) -> None:
    band = FilterSpec(name="pass_rate", settings={"low": 0.25, "high": 0.8})
    verdict = load_filter(band).judge(problem(rate))
    assert (verdict.status, verdict.reason, verdict.score) == (
        status,
        reason,
        rate if status != "skipped" else None,
    )


def test_by_default_only_the_hopeless_and_the_certain_fail() -> None:
    judge = load_filter(FilterSpec(name="pass_rate"))
    rates = (0.0, 0.125, 0.875, 1.0)
    assert [judge.judge(problem(rate)).status for rate in rates] == ["fail", "pass", "pass", "fail"]


def test_other_kinds_are_skipped() -> None:
    trace = problem(0.0).model_copy(update={"kind": "sft"})
    assert load_filter(FilterSpec(name="pass_rate")).judge(trace).status == "skipped"


def test_an_empty_band_is_refused() -> None:
    with pytest.raises(InputError, match="above high"):
        load_filter(FilterSpec(name="pass_rate", settings={"low": 0.9, "high": 0.1}))
