"""What makes a trace with the right answer unfit to be taught.

They are filters, asked while traces are bred: a trace at fault counts as wrong, is no parent of
right ones, and is never the best.
"""

from synthmill.filters.verifiers.answer_leak import AnswerLeak, AnswerLeakSettings
from synthmill.filters.verifiers.arithmetic import Arithmetic
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate

# What the question states is not the trace's fault; the recipe's own filters look at that.
_LEAK = AnswerLeak(AnswerLeakSettings(question=False))
_ARITHMETIC = Arithmetic()
LONGEST_LOOK = 50_000  # characters


def leak(problem: str, text: str) -> str | None:
    """Why a solution looks as if it had been told its answer, or None.

    Asked whether or not the ground truth was in a prompt, for models trained on such traces speak
    of a reference answer unasked.
    """
    messages = [user(problem), assistant(text[-LONGEST_LOOK:])]
    verdict = _LEAK.judge(Candidate(kind="sft", messages=messages))
    return verdict.reason if verdict.status == "fail" else None


def miscalculation(text: str) -> str | None:
    """The reason where a solution writes down a false equation between numbers, or None.

    The more traces a search tries, the more of them reach the right answer by luck.
    """
    messages = [assistant(text[-LONGEST_LOOK:])]
    verdict = _ARITHMETIC.judge(Candidate(kind="sft", messages=messages))
    return verdict.reason if verdict.status == "fail" else None
