"""Is the final answer mathematically the true one?"""

from collections.abc import Callable

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.filters.text import responses
from synthmill.rewards.math_answers import (
    Undecidable,
    equal_by_math_verify,
    equal_by_rule,
    stated_answer,
)
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class AnswerEquivalenceSettings(Settings):
    """How answers are compared."""

    boxed_only: bool = Field(
        default=False, description="only a boxed answer counts, no 'The answer is ...'"
    )


class AnswerEquivalence(Verifier):
    """Compares the stated answer with `answer`, by rule first and else by math-verify (sympy).

    Rules (`rewards.math_answers`) settle numbers, words and letters of choices in microseconds,
    also where math-verify errs: 1/3 and .33333, "A" and "(A)", "1 million", "listen" and "silent".
    Expressions, sets, intervals, matrices and equations go to math-verify in a killable process.

    Of a preference the chosen side must have the answer and the rejected one must not. A response
    without a final answer fails. Rows without a response or an answer are skipped. `error` means
    it cannot be decided: the truth is not readable as mathematics, sympy raised, or time ran out.

    Not checked: how the answer was reached. Units are dropped, so "3 km" equals "3 m".
    """

    name = "answer_equivalence"
    cost = "cpu"
    Settings = AnswerEquivalenceSettings
    settings: AnswerEquivalenceSettings

    def prepare(self) -> None:
        """Import sympy and build the parser, which takes a second."""
        equal_by_math_verify("\\sqrt{8}", "2\\sqrt{2}")

    def fast_verdict(self, candidate: Candidate) -> Verdict | None:
        """The verdict where rules settle every comparison that it needs."""
        return self._compare(candidate, equal_by_rule)

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass or fail; `error` where the answers cannot be compared."""
        try:
            verdict = self._compare(candidate, _equal)
        except Undecidable as problem:
            return self.verdict("error", str(problem), detail=str(problem.__cause__ or "")[:300])
        assert verdict is not None  # `_equal` always decides
        return verdict

    def _compare(
        self, candidate: Candidate, equal: Callable[[str, str], bool | None]
    ) -> Verdict | None:
        truth, found = candidate.answer, responses(candidate)
        if not truth or not truth.strip():
            return self.verdict("skipped", "no answer")
        if not found:
            return self.verdict("skipped", "no response")
        for response in found:
            said = stated_answer(response.content, boxed_only=self.settings.boxed_only)
            same = False if said is None else equal(truth, said)
            if same is None:
                return None
            if same == (response.label == "rejected"):
                reason = "rejected side is right" if same else "wrong answer"
                if said is None:
                    reason = "no final answer"
                detail = f"{response.label}: {said!r}, truth: {truth!r}"
                return self.verdict("fail", reason, score=float(same), detail=detail[:500])
        return self.verdict("pass", score=1.0)


def _equal(truth: str, said: str) -> bool:
    by_rule = equal_by_rule(truth, said)
    return equal_by_math_verify(truth, said) if by_rule is None else by_rule
