"""One turn of an agent: the conversation goes out, thought and tool calls come back.

Two protocols. `native`: tools go to the server, which returns tool calls. `text`: the conversation
spells calls out in tags (Hermes: `<tool_call>{"name": ..., "arguments": {...}}</tool_call>`), for
servers without a tool parser. A tag in the answer is understood under both, since many a server
leaves the model's own form as it is.
"""

import json
import re
from collections.abc import Sequence
from typing import Any, Literal

from synthmill.generators.agent.tools import Call
from synthmill.models.completion import Completion
from synthmill.models.prompt import MalformedAnswer, Prompt
from synthmill.schemas.base import Record
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.messages import Message

Protocol = Literal["native", "text"]

# What comes of taking anything at all for a call; the second of thousands of open brackets.
NOT_A_CALL = (ValueError, RecursionError, AttributeError, TypeError)

_CALL = re.compile(r"<tool_call>(.*?)(?:</tool_call>|\Z)", re.DOTALL)
# Possessive: a text of many spaces and no thought is searched once, not once for each space.
_THINK = re.compile(r"\A\s*+(?:<think>)?(.*?)</think>", re.DOTALL)


class Turn(Record):
    """What the model did: thought (kept apart), said, called."""

    reasoning: str = ""
    content: str = ""
    calls: tuple[Call, ...] = ()


class AgentTurn(Prompt[Turn]):
    """The next turn of a conversation with tools.

    A subclass may be stricter in `parse`.
    """

    conversation: tuple[Message, ...]
    protocol: Protocol = "native"

    @classmethod
    def json_schema(cls) -> None:
        """None: a turn is text or tool calls, not JSON."""

    def messages(self) -> tuple[Message, ...]:
        """The conversation, calls spelled out where the protocol is text."""
        if self.protocol == "native":
            return self.conversation
        return tuple(_spelled(message) for message in self.conversation)

    def parse(self, completion: Completion) -> Turn:
        """Thought, content and calls of a completion.

        Raises:
            MalformedAnswer: a call is no JSON object with a name and arguments.
        """
        reasoning, text = _storable(completion.reasoning or ""), _storable(completion.text or "")
        thought = _THINK.match(text)
        if thought is not None:
            reasoning = reasoning or thought.group(1).strip()
            text = text[thought.end() :]
        calls = _native(completion.tool_calls) if completion.tool_calls else _tagged(text)
        return Turn(
            reasoning=reasoning,
            content=_CALL.sub("", text).strip(),
            calls=tuple(_numbered(calls, len(self.conversation))),
        )


def spoken(turn: Turn) -> Message:
    """A turn as an assistant message."""
    calls = [
        {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
        for c in turn.calls
    ]
    return Message(
        role="assistant",
        content=turn.content or None,
        reasoning=turn.reasoning or None,
        tool_calls=json.dumps(calls, ensure_ascii=False) if calls else None,
    )


def _storable(text: str) -> str:
    """The text without halves of surrogate pairs, which servers send and no row can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _spelled(message: Message) -> Message:
    if message.role == "tool":
        text = f"<tool_response>\n{message.text}\n</tool_response>"
        return Message(role="user", content=text, train=False)
    if message.tool_calls is None:
        return message
    spelled = [
        "<tool_call>\n"
        f'{{"name": {json.dumps(c["function"]["name"])}, '
        f'"arguments": {c["function"]["arguments"]}}}\n</tool_call>'
        for c in json.loads(message.tool_calls)
    ]
    text = "\n".join(filter(None, [message.text, *spelled]))
    return message.model_copy(update={"content": text, "tool_calls": None})


def _native(text: str) -> list[tuple[str, str]]:
    try:
        return [_call(call.get("function", call)) for call in json.loads(text)]
    except NOT_A_CALL as error:
        raise MalformedAnswer(f"a tool call is not valid: {error}") from error


def _tagged(text: str) -> list[tuple[str, str]]:
    found = []
    for match in _CALL.finditer(text):
        try:
            found.append(_call(json.loads(match.group(1))))
        except NOT_A_CALL as error:
            raise MalformedAnswer(
                f'a tool call is not JSON of the form {{"name": ..., "arguments": {{}}}}: {error}'
            ) from error
    return found


def _call(call: Any) -> tuple[str, str]:
    """Name and arguments (JSON text of an object).

    Raises:
        ValueError: it has none, or they hold what neither JSON nor a row can (NaN, half a
            surrogate pair).
    """
    name, arguments = call.get("name"), call.get("arguments", {})
    value = json.loads(arguments or "{}") if isinstance(arguments, str) else arguments
    if not isinstance(name, str) or not name or not isinstance(value, dict):
        raise ValueError("a call has a name and arguments, which are a JSON object")
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    (name + text).encode("utf-8")  # raises a ValueError
    return name, text


def _numbered(calls: Sequence[tuple[str, str]], turn: int) -> list[Call]:
    """Calls with ids that follow from place and content, so that a replay gives the same ones."""
    return [
        Call(
            id=f"call_{sha256_text(f'{turn} {i} {name} {arguments}')[:12]}",
            name=name,
            arguments=arguments,
        )
        for i, (name, arguments) in enumerate(calls)
    ]
