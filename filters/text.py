"""Reading a candidate: its question, its responses, the steps of a trace.

All filters read through this module, so that they agree about what a response or a step is.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

from synthmill.rewards.math_answers import last_box
from synthmill.schemas.messages import Message
from synthmill.schemas.row import Candidate

TextField = Literal["all", "question", "response"]


class Step(NamedTuple):
    """Characters `start` to `end` of a trace.

    `number` is the one written ("Step 3:"), or None. `body` is the text after that header, which
    begins at `inner`, without spaces around it.
    """

    number: int | None
    start: int
    inner: int
    end: int
    body: str


class Response(NamedTuple):
    """What a candidate teaches a model to say: `label` is response, chosen or rejected."""

    label: str
    content: str
    reasoning: str = ""

    @property
    def trace(self) -> str:
        """The reasoning kept apart, if any, and then the content."""
        return f"{self.reasoning}\n{self.content}" if self.reasoning else self.content


# Rows of these kinds teach no response: they are a question with its answer, or plain text.
WITHOUT_RESPONSE = ("rlvr", "corpus")

STEP_HEADER = re.compile(r"^[ \t>*#_-]*step[ \t]*(\d{1,4})\b[ \t*_]*[:.)\-–]?[ \t*_]*", re.I | re.M)
_LINE = re.compile(r"^.*\S.*$", re.M)
# Unicode limits itself to 30 marks on a letter (UAX #15, stream-safe text). Without this limit
# normalization takes quadratic time; the joiner that divides longer runs has no other effect.
_MARKS = re.compile(r"([^\w\s\x00-\x7f]{30})")
_JOINER = "\u034f"
_TOKEN = re.compile(r"\w+|[^\w\s]")


def question(candidate: Candidate) -> str:
    """What the user says, all turns."""
    return "\n".join(m.text for m in candidate.messages if m.role == "user")


def responses(candidate: Candidate) -> list[Response]:
    """The final assistant texts: one, or chosen and rejected of a preference; none for some kinds.

    A side of a preference without any assistant text counts as an empty one, so that it is seen.
    """
    if candidate.kind in WITHOUT_RESPONSE:
        return []
    if candidate.kind == "preference":
        sides = (("chosen", candidate.chosen), ("rejected", candidate.rejected))
        return [_final(label, side) or Response(label, "") for label, side in sides]
    final = _final("response", candidate.messages)
    return [final] if final else []


def conversation(candidate: Candidate) -> str:
    """Every word of the candidate: all turns of messages, chosen and rejected, and tool calls."""
    turns = [*candidate.messages, *candidate.chosen, *candidate.rejected]
    spoken = (part for m in turns for part in (m.reasoning, m.text, m.tool_calls) if part)
    return "\n".join(spoken)


def text_of(candidate: Candidate, field: TextField) -> str:
    """The text that a filter compares: the whole conversation, its question or its responses."""
    if field == "question":
        return question(candidate)
    if field == "response":
        return "\n".join(response.trace for response in responses(candidate))
    return conversation(candidate)


def split_steps(text: str, end: int | None = None, most: int | None = None) -> list[Step]:
    """The steps of a trace, in order: "Step N:" with all up to the next; else one for each line.

    They cover the text without gaps up to `end` (by default the line that only states the boxed
    answer), so the text before a step is a prefix to continue from. What precedes the first header
    belongs to the first step, but not to its body. After `most` steps the rest is part of the last.
    """
    end = conclusion_start(text) if end is None else end
    body = text[:end]
    headers = [(int(m[1]), *m.span()) for m in STEP_HEADER.finditer(body)][:most]
    found: Sequence[tuple[int | None, int, int]] = headers
    if not headers:
        found = [(None, m.start(), m.start()) for m in _LINE.finditer(body)][:most]
    starts = [0, *(start for _, start, _ in found[1:])]
    return [
        Step(number, start, inner, stop, body[inner:stop].strip())
        for (number, _, inner), start, stop in zip(found, starts, [*starts[1:], end], strict=False)
    ]


def conclusion_start(text: str) -> int:
    """Where the line that states the boxed answer begins; the end where a step states it."""
    box = last_box(text)
    if box is None:
        return len(text)
    line = text.rfind("\n", 0, box.start) + 1
    # "Step 3: 4 * 5 = \\boxed{20}" is a step and the answer at once.
    return len(text) if STEP_HEADER.match(text, line) else line


def tokens(text: str) -> list[str]:
    """Words and single signs, lower case: `3+4=7` is five tokens."""
    return _TOKEN.findall(text.lower())


def normalize_text(text: str) -> str:
    """A text by its letters alone: NFKC, case folded, single spaces; in linear time."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", _MARKS.sub(rf"\1{_JOINER}", text))
        text = text.replace(_JOINER, "")
    return " ".join(text.casefold().split())


def _final(label: str, messages: Sequence[Message]) -> Response | None:
    for message in reversed(messages):
        if message.role == "assistant" and (message.content or message.reasoning):
            return Response(label, message.text, message.reasoning or "")
    return None
