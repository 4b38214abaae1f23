"""Has the response the required form: steps in order, a boxed answer, nothing after it?"""

import re

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.filters.text import Response, responses, split_steps
from synthmill.rewards.math_answers import last_box, strip_thinking
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

_TAG = re.compile(r"<(/?)think>")
_PLACEHOLDER = re.compile(r"[.?…_\s]*|(?:your |final )?answer|\\(?:l|c)?dots", re.I)


class FormatSettings(Settings):
    """Rules of the form."""

    boxed: bool = Field(default=True, description="the response ends in a boxed answer")
    min_steps: int = Field(default=1, ge=0, description="ours: a trace has at least one step")
    max_steps: int | None = Field(
        default=10, ge=1, description="CoTEvol's author prompt allows 10 (arXiv 2604.14768)"
    )
    numbered: bool = Field(default=False, description="every step is written as 'Step N:'")
    max_tail: int | None = Field(
        default=200, ge=0, description="characters allowed after the answer (ours: one remark)"
    )
    max_answer: int = Field(
        default=300, ge=1, description="characters of an answer (ours: more is an essay)"
    )
    rejected: bool = Field(default=False, description="check the rejected side of a preference too")


class Format(Verifier):
    """The form of a response, by rule.

    Checked: `<think>` tags are paired; the last box closes, is not empty or a placeholder, and its
    brackets match; numbered steps count 1, 2, 3 ...; the number of steps is within the bounds;
    little text follows the answer. Steps are "Step N:" blocks, or single lines in a text without
    such blocks.

    Not checked: whether the answer is right, or mathematics that a computer algebra system reads
    (`answer_equivalence`), or whether the steps follow from each other. Of a preference only the
    chosen side is checked, unless `rejected` is set; of an rlvr row its answer, as if it were
    boxed. Rows with neither are skipped.
    """

    name = "format"
    Settings = FormatSettings
    settings: FormatSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the first fault."""
        if candidate.kind == "rlvr" and candidate.answer is not None:
            fault = self._content(candidate.answer)
            return self.verdict("fail" if fault else "pass", fault)
        found = [r for r in responses(candidate) if self.settings.rejected or r.label != "rejected"]
        if not found:
            return self.verdict("skipped", "no response")
        for response in found:
            fault = self._fault(response)
            if fault:
                return self.verdict("fail", fault, detail=response.label)
        return self.verdict("pass")

    def _fault(self, response: Response) -> str | None:
        return (
            _thinking(response.content)
            or (self._answer(strip_thinking(response.content)) if self.settings.boxed else None)
            or self._steps(response.content)
        )

    def _answer(self, text: str) -> str | None:
        box = last_box(text)
        if box is None:
            return "no boxed answer"
        if box.content is None:
            return "box never closes"
        fault = self._content(box.content)
        if fault:
            return fault
        tail = len(text[box.end :].strip())
        if self.settings.max_tail is not None and tail > self.settings.max_tail:
            return "too much text after the answer"
        return None

    def _content(self, answer: str) -> str | None:
        if _PLACEHOLDER.fullmatch(answer):
            return "answer is empty or a placeholder"
        if len(answer) > self.settings.max_answer:
            return "answer too long"
        return None if balanced(answer) else "brackets of the answer do not match"

    def _steps(self, text: str) -> str | None:
        found = split_steps(strip_thinking(text))
        numbers = [step.number for step in found]
        if self.settings.numbered and None in numbers:
            return "steps without numbers"
        if None not in numbers and numbers != list(range(1, len(numbers) + 1)):
            return "steps out of order"
        if len(found) < self.settings.min_steps:
            return "too few steps"
        if self.settings.max_steps is not None and len(found) > self.settings.max_steps:
            return "too many steps"
        if any(not step.body for step in found):
            return "empty step"
        return None


def balanced(text: str) -> bool:
    """Whether every bracket closes; `[0, 1)` counts as closed, for it is an interval."""
    braces = rounds = 0
    for sign in re.sub(r"\\[{}]", "", text):
        braces += (sign == "{") - (sign == "}")
        rounds += (sign in "([") - (sign in ")]")
        if braces < 0 or rounds < 0:
            return False
    return braces == rounds == 0


def _thinking(text: str) -> str | None:
    open_tags = 0
    for tag in _TAG.finditer(text):
        open_tags += -1 if tag.group(1) else 1
        if open_tags not in (0, 1):
            break
    return None if open_tags == 0 else "unbalanced think tags"
