"""Which verifiers run on a candidate, and in which order their verdicts are recorded."""

from typing import Any, ClassVar

import pytest

from synthmill.filters.base import Verifier
from synthmill.pipelines.judging import verify
from synthmill.pipelines.plan import Stage
from synthmill.schemas.messages import user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

UNUSED: Any = None  # rule filters need neither context nor workers


class Counting(Verifier):
    """Passes, and counts how often it ran."""

    name = "counting"
    version = 2
    runs: ClassVar[int] = 0

    def judge(self, candidate: Candidate) -> Verdict:
        type(self).runs += 1
        return self.verdict("pass")


@pytest.mark.parametrize(
    ("given", "runs"),
    [
        ([], 1),
        ([Verdict(filter="counting", version=2, status="pass")], 0),
        ([Verdict(filter="counting", version=1, status="pass")], 1),
        ([Verdict(filter="counting", version=2, status="skipped")], 1),
        ([Verdict(filter="other", status="fail", reason="bad")], 0),
    ],
)
async def test_a_filter_that_the_candidate_passed_before_does_not_run_again(
    given: list[Verdict], runs: int
) -> None:
    Counting.runs = 0
    candidate = Candidate(kind="sft", messages=[user("x")], verdicts=given)
    judged = await verify(
        candidate, [Stage(Counting(), FilterSpec(name="counting"))], UNUSED, UNUSED
    )
    assert Counting.runs == runs
    assert len(judged.verdicts) == len(given) + runs
    assert judged.accepted == all(verdict.status != "fail" for verdict in given)
