"""The shared readings of a candidate, so that no filter parses for itself."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

from synthmill.schemas.messages import Message
from synthmill.schemas.row import Candidate

Part = Literal["all", "question", "response"]


class Box(NamedTuple):
    r"""A `\boxed{...}` in a text; `content` is None where its brace never closes."""

    content: str | None
    start: int
    end: int


class Step(NamedTuple):
    """One step of a trace; `number` is the one written ("Step 3:"), or None."""

    number: int | None
    text: str


class Response(NamedTuple):
    """What a candidate teaches a model to say: `label` is response, chosen or rejected."""

    label: str
    content: str
    reasoning: str = ""

    @property
    def trace(self) -> str:
        """The reasoning kept apart, if any, and then the content."""
        return f"{self.reasoning}\n{self.content}" if self.reasoning else self.content


# A row of these kinds teaches no response: it is a question with its truth, or plain text.
WITHOUT_RESPONSE = ("rlvr", "corpus")

_BOX = re.compile(r"\\(?:boxed|fbox)\s*\{")
_HEADER = re.compile(r"^[ \t>*#_-]*step[ \t]*(\d{1,9})\b[ \t*_]*[:.)\-–]?[ \t*_]*", re.I | re.M)
_MARK = re.compile(r"(?:####|\banswer(?:[ \t]+is\b|[ \t]*:))[ \t*:]*(\S.*)", re.I)
_SENTENCE_END = re.compile(r"[.!?;:][)\"'*]*\s+|\n+")
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


def part_of(candidate: Candidate, part: Part) -> str:
    """The text that a filter compares: the whole conversation, its question or its responses."""
    if part == "question":
        return question(candidate)
    if part == "response":
        return "\n".join(response.trace for response in responses(candidate))
    return conversation(candidate)


def last_box(text: str) -> Box | None:
    """The last box of a text; braces nest, and escaped ones do not count."""
    openings = list(_BOX.finditer(text))
    if not openings:
        return None
    opening = openings[-1]
    depth, position = 1, opening.end()
    while position < len(text):
        sign = text[position]
        if sign == "\\":
            position += 1  # the sign behind a backslash is escaped
        elif sign in "{}":
            depth += 1 if sign == "{" else -1
            if depth == 0:
                return Box(text[opening.end() : position].strip(), opening.start(), position + 1)
        position += 1
    return Box(None, opening.start(), len(text))


def stated_answer(text: str, *, boxed_only: bool = False) -> str | None:
    r"""The final answer of a response: its last box; else what stands behind a last "####" or
    "answer is" / "answer:". None where there is none of these, or where the box never closes.

    `boxed_only` leaves only the box. The last number of a text is no answer here:
    it would let wrong responses pass.
    """
    shown = visible(text)
    box = last_box(shown)
    if box is not None:
        return box.content or None
    if boxed_only:
        return None
    marks = list(_MARK.finditer(shown))
    return (marks[-1].group(1).strip().rstrip(".").strip("* ") or None) if marks else None


def visible(text: str) -> str:
    """What stands after the thinking: the text behind the last `</think>`."""
    return text.rsplit("</think>", 1)[-1]


def steps(text: str) -> list[Step]:
    """The steps of a trace, in order: "Step N:" with all up to the next; else one for each line.

    Thinking between tags, and the line that only holds the boxed answer, are no steps.
    """
    body = _body(visible(text))
    headers = list(_HEADER.finditer(body))
    if not headers:
        return [Step(None, line.strip()) for line in body.splitlines() if line.strip()]
    ends = [*(header.start() for header in headers[1:]), len(body)]
    return [
        Step(int(header.group(1)), body[header.end() : end].strip())
        for header, end in zip(headers, ends, strict=True)
    ]


def sentence_start(text: str, position: int) -> int:
    """Where the sentence (or line) that holds `position` begins."""
    start = 0
    for end in _SENTENCE_END.finditer(text, 0, position):
        start = end.end()
    return start


def tokens(text: str) -> list[str]:
    """Words and single signs, lower case: `3+4=7` is five tokens."""
    return _TOKEN.findall(text.lower())


def normal(text: str) -> str:
    """A text without what does not make it another: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _final(label: str, messages: Sequence[Message]) -> Response | None:
    for message in reversed(messages):
        if message.role == "assistant" and (message.content or message.reasoning):
            return Response(label, message.text, message.reasoning or "")
    return None


def _body(text: str) -> str:
    box = last_box(text)
    if box is None:
        return text
    line = text.rfind("\n", 0, box.start) + 1
    # "Step 3: 4 * 5 = \\boxed{20}" is a step and the answer at once.
    return text if _HEADER.match(text, line) else text[:line]
