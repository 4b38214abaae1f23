import time

import pytest

from synthmill.filters.run import judge as judge_anywhere
from synthmill.filters.run import safe_judge, warm_up
from synthmill.filters.verifiers.answer_equivalence import AnswerEquivalence
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.row import Candidate
from tests.filters.candidates import NO_CONTEXT, make, pair, sft, task, told


def boxed(truth: str, said: str) -> Candidate:
    return sft(rf"So \boxed{{{said}}}.", answer=truth)


@pytest.mark.parametrize(
    ("truth", "said", "status"),
    [
        (r"\sqrt{8}", r"2\sqrt{2}", "pass"),
        ("x^2+1", "1+x^2", "pass"),
        (r"\pi", "3.14159", "pass"),
        (r"\pi", "3.1419", "fail"),
        (r"\pi", "3.14", "fail"),
        ("5", r"5\text{ apples}", "pass"),
        ("5 apples", "6 apples", "fail"),
        ("(1,2)", "(1, 2)", "pass"),
        ("(1,2)", "(1,3)", "fail"),
        ("1, 2", "2, 1", "pass"),
        ("7", "5 or 7", "fail"),
        ("12", "6+6", "pass"),
        ("1 million", "10^6", "pass"),
        (r"[0,1)", r"[0,1]", "fail"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}", "pass"),
        ("x=5", "5", "pass"),
        ("7", r"\leq 7", "fail"),
        ("7", "< 7", "fail"),
        ("7", r"\neq 7", "fail"),
        ("7", r"x \not= 7", "fail"),
        (r"\ge 7", "7", "fail"),
        (r"x \le 7", r"x\leq 7", "pass"),
        (r"\sqrt{49}", r"\left(7\right)", "pass"),
        ("7", r"\approx 7", "pass"),
        (r"\infty", "x", "fail"),
        ("pairs", "x+1", "fail"),
        ("x+1", "Paris", "fail"),
        (r"\frac{1}{", "1", "error"),
    ],
)
def test_mathematics(truth: str, said: str, status: str) -> None:
    assert safe_judge(AnswerEquivalence(), boxed(truth, said)).status == status


@pytest.mark.parametrize(
    ("truth", "said", "status"),
    [
        ("7", "7", "pass"),
        ("7", "8", "fail"),
        ("1/3", ".33333", "pass"),
        ("A", "(A)", "pass"),
        ("1000000", "1 million", "pass"),
        ("Paris", "pairs", "fail"),
    ],
)
def test_most_verdicts_are_fast_and_the_same(truth: str, said: str, status: str) -> None:
    judge, candidate = AnswerEquivalence(), boxed(truth, said)
    fast = judge.fast_verdict(candidate)
    assert fast is not None
    assert fast == judge.judge(candidate)
    assert fast.status == status


def test_expressions_are_not_fast() -> None:
    assert AnswerEquivalence().fast_verdict(boxed("x+1", "1+x")) is None


def test_a_fast_fail_needs_no_process_for_the_other_side() -> None:
    verdict = AnswerEquivalence().fast_verdict(pair(r"\boxed{8}", r"\boxed{x+1}", answer="7"))
    assert verdict is not None
    assert verdict.status == "fail"


def test_pairs() -> None:
    judge = AnswerEquivalence()
    assert told(judge, pair(r"\boxed{7}", r"\boxed{8}", answer="7")) == ("pass", None)
    assert told(judge, pair(r"\boxed{7}", "no idea", answer="7")) == ("pass", None)
    right_twice = pair(r"\boxed{2\sqrt2}", r"\boxed{\sqrt8}", answer=r"\sqrt{8}")
    assert told(judge, right_twice) == ("fail", "rejected side is right")
    assert told(judge, pair(r"\boxed{8}", r"\boxed{7}", answer="7")) == ("fail", "wrong answer")


def test_nothing_to_compare() -> None:
    judge = AnswerEquivalence()
    assert told(judge, task("q", "7")) == ("skipped", "no response")
    assert told(judge, sft("x")) == ("skipped", "no answer")
    assert told(judge, sft("Seven it is", answer="7")) == ("fail", "no final answer")
    assert told(judge, sft("The answer is 7", answer="7")) == ("pass", None)
    strict = make("answer_equivalence", boxed_only=True)
    assert told(strict, sft("The answer is 7", answer="7")) == ("fail", "no final answer")


async def test_a_monster_is_killed_and_is_no_fail() -> None:
    judge = AnswerEquivalence()
    judge.time_limit = 1.0  # type: ignore[misc]
    monster = boxed(r"\sum_{k=1}^{10000000} \frac{1}{k^2}", r"\sum_{k=1}^{10000000} \frac{1}{k^3}")
    async with WorkerPool(1, warm=warm_up([judge])) as pool:
        start = time.monotonic()
        verdict = await judge_anywhere(judge, monster, NO_CONTEXT, pool)
        assert (verdict.status, verdict.reason) == ("error", "time limit of 1 s")
        assert time.monotonic() - start < 15
        assert (await judge_anywhere(judge, boxed("x+1", "1+x"), NO_CONTEXT, pool)).status == "pass"
