"""Chat messages, in the one form that every back end, filter and exporter reads."""

from typing import Literal

from synthmill.schemas.base import Record

Role = Literal["system", "developer", "user", "assistant", "tool"]


class Message(Record):
    """One turn of a conversation.

    `content` is text, or the JSON text of OpenAI content parts where images or video frames are
    among it. `reasoning` is the thinking kept apart from the content. `tool_calls` is the JSON
    text of an OpenAI tool-call list. `train=False` masks the turn from the training loss
    (observations, injected text).
    """

    role: Role
    content: str | None = None
    reasoning: str | None = None
    tool_calls: str | None = None
    tool_call_id: str | None = None
    name: str | None = None
    train: bool = True


def user(text: str) -> Message:
    """A user turn, masked from training."""
    return Message(role="user", content=text, train=False)


def assistant(text: str, *, reasoning: str | None = None) -> Message:
    """An assistant turn, to be trained on."""
    return Message(role="assistant", content=text, reasoning=reasoning)
