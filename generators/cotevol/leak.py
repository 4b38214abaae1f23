"""The leak guard: traces that lean on a given answer instead of deriving one are not taught.

It stands whether or not the ground truth was in a prompt: models trained on such traces speak of a
reference answer unasked.
"""

import re

from filters.answers import number
from generators.cotevol.traces import Trace

# "The correct answer is" is how an honest trace ends, "matches the correct answer" is not.
_KNOWN = r"(?:given|provided|reference|known|expected|official|stated)"
_AIMED_AT = rf"(?:{_KNOWN}|correct|target|true|right)"
_RESULT = r"(?:final\s+)?(?:answer|result|solution)"
_LEAKS = re.compile(
    rf"""
      \b(?:the|a|this|that|our|your)\s+{_KNOWN}\s+(?:correct\s+)?{_RESULT}\b
    | \b{_RESULT}\s+(?:key|(?:that\s+)?(?:is|was|has\s+been)\s+(?:given|provided|known))\b
    | \bground[\s-]?truth\b
    | \b(?:we|i)\s+(?:know|are\s+(?:told|given)|were\s+(?:told|given))\s+
      (?:that\s+)?the\s+{_RESULT}\b
    | \b(?:match(?:es)?|agree(?:s)?\s+with|consistent\s+with|lead(?:s)?\s+to)\s+the\s+
      {_AIMED_AT}\s+{_RESULT}\b
    | \bgiven\s+the\s+{_AIMED_AT}\s+{_RESULT}\b
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
    bodies = " ".join(step.body for step in trace.steps)[:LONGEST_LOOK]
    written = {found.rstrip(",") for found in _NUMBERS.findall(bodies)}
    if not any((n := number(found)) and n.value == abs(value.value) for found in written):
        return "answer is not derived"
    return None
