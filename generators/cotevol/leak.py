"""The leak guard: traces that lean on a given answer instead of deriving one are not taught.

It stands whether or not the ground truth was in a prompt: models trained on such traces speak of a
reference answer unasked.
"""

import re

from filters.answers import number
from generators.cotevol.traces import Trace

_KNOWN = r"(?:given|provided|reference|known|correct|expected|official|stated|target|true)"
_RESULT = r"(?:final\s+)?(?:answer|result|solution)"
_LEAKS = re.compile(
    rf"""
      \b(?:the|a|this|that|our|your)\s+(?:{_KNOWN}\s+){{1,3}}{_RESULT}\b
    | \b{_RESULT}\s+(?:key|(?:that\s+)?(?:is|was|has\s+been)\s+(?:given|provided|known))\b
    | \bground[\s-]?truth\b
    | \b(?:we|i)\s+(?:know|are\s+(?:told|given)|were\s+(?:told|given))\s+
      (?:that\s+)?the\s+{_RESULT}\b
    | \b(?:match(?:es)?|agree(?:s)?\s+with|consistent\s+with|lead(?:s)?\s+to)\s+the\s+
      (?:{_KNOWN}\s+){_RESULT}\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_NUMBERS = re.compile(r"\d[\d,]*(?:\.\d+)?")
LONGEST_LOOK = 100_000  # characters that the patterns look at


def leak(trace: Trace) -> str | None:
    """Why the trace looks as if it had been told its answer, or None.

    A number that is boxed but occurs in no step was not derived. Answers that are no numbers are
    not asked for this: a choice of letters or a formula may be written in many ways.
    """
    text = trace.text[:LONGEST_LOOK]
    if _LEAKS.search(text):
        return "speaks of a given answer"
    value = number(trace.answer) if trace.answer else None
    if value is None or not trace.steps:
        return None
    if value.value.denominator > 1:
        return None  # a fraction may stand as a decimal, a root or a percentage in the steps
    written = (number(n.rstrip(",")) for s in trace.steps for n in _NUMBERS.findall(s.body))
    if not any(found and found.value == abs(value.value) for found in written):
        return "answer is not derived"
    return None
