"""The leak guard: traces that lean on a given answer instead of deriving one are not taught.

It is the filter `answer_leak`, asked while traces are bred: a leaking trace counts as wrong, is no
parent of right ones, and is never the best. It stands whether or not the ground truth was in a
prompt, for models trained on such traces speak of a reference answer unasked.
"""

from filters.verifiers.answer_leak import AnswerLeak, AnswerLeakSettings
from schemas.messages import assistant, user
from schemas.row import Candidate

# What the question states is not the trace's fault; the recipe's own filters look at that.
_GUARD = AnswerLeak(AnswerLeakSettings(question=False))
LONGEST_LOOK = 50_000  # characters


def leak(problem: str, text: str) -> str | None:
    """Why a solution looks as if it had been told its answer, or None."""
    messages = [user(problem), assistant(text[-LONGEST_LOOK:])]
    verdict = _GUARD.judge(Candidate(kind="sft", messages=messages))
    return verdict.reason if verdict.status == "fail" else None
