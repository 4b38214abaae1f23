"""Is the final answer the true one, character by character?"""

from synthmill.filters.base import Verifier
from synthmill.filters.text import normalize_text, responses
from synthmill.rewards.math_answers import normalize_answer, stated_answer
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class ExactAnswer(Verifier):
    """Compares the stated answer with `answer` as text.

    Letter case, Unicode form, spacing, a final dot and what only wraps an answer (dollar signs,
    boxes, `\\text`) are ignored. Articles and punctuation inside it count, and nothing is
    computed: `1/2` is not `0.5` here (use `answer_equivalence`).

    Of a preference the chosen side must have the answer and the rejected one must not. Rows
    without a response or an answer are skipped.
    """

    name = "exact_answer"

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass or fail; skipped where there is nothing to compare."""
        if not candidate.answer:
            return self.verdict("skipped", "no answer")
        found = responses(candidate)
        if not found:
            return self.verdict("skipped", "no response")
        truth = normalize_text(normalize_answer(candidate.answer))
        for response in found:
            said = stated_answer(response.content)
            same = said is not None and normalize_text(normalize_answer(said)) == truth
            if same == (response.label == "rejected"):
                reason = "rejected side is right" if same else "answers differ"
                if said is None:
                    reason = "no final answer"
                return self.verdict("fail", reason, detail=f"{response.label}: {said!r}")
        return self.verdict("pass")
