"""Are the calculations that a trace writes down true?"""

from fractions import Fraction

from synthmill.filters.base import Verifier
from synthmill.filters.equations import equations
from synthmill.filters.text import responses
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class Arithmetic(Verifier):
    """Equations between plain numbers ("7 * 8 = 56") that are false.

    A trace may reach the true answer through a wrong step; a search over many traces finds such
    traces, and they teach wrong steps. The score is the share of equations that are true. Ours.

    Not checked: equations with letters, units or percent, and whether a true equation is useful.
    Separate reasoning is not read, since a model may try things there; of a preference the chosen
    side is read. Rows without a response or without equations are skipped.
    """

    name = "arithmetic"

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the first false equation."""
        said = [r.content for r in responses(candidate) if r.label != "rejected"]
        found = [equation for text in said for equation in equations(text)]
        if not found:
            return self.verdict("skipped", "no equation between numbers")
        false = [equation for equation in found if not equation.true]
        score = 1 - len(false) / len(found)
        if not false:
            return self.verdict("pass", score=score)
        first = false[0]
        detail = f"{first.left} = {first.right}, but it is {_shown(first.value)}"
        return self.verdict("fail", "a written equation is false", score=score, detail=detail)


def _shown(value: Fraction) -> str:
    return str(value) if abs(value.numerator) < 10**15 else f"{float(value):.6g}"
