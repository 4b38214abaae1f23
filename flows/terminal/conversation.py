"""The turns of a conversation as a person reads them."""

from collections.abc import Sequence
from textwrap import indent
from typing import Any

from rich.console import Console

from synthmill.flows.terminal.console import text
from synthmill.schemas.messages import Message
from synthmill.store.exports._videos import parts_of


def print_messages(console: Console, messages: Sequence[Message]) -> None:
    """Print turns one below the other: who speaks, and what is thought, said and called."""
    for message in messages:
        masked = "" if message.train else " (not trained on)"
        name = f" {message.name}" if message.name else ""
        console.print(text(f"{message.role}{name}{masked}", "bold cyan"))
        for label, said in (
            ("thinking: ", message.reasoning),
            ("", "".join(map(_part_text, parts_of(message)))),
            ("calls: ", message.tool_calls),
        ):
            if said:
                console.print(text(indent(label + said, "  ")), soft_wrap=True)


def _part_text(part: dict[str, Any]) -> str:
    """A content part: its text, or a line that says what it shows."""
    if part["type"] == "text":
        return str(part.get("text", ""))
    frames, rate = part.get("media"), part.get("fps")
    facts = (
        f"{len(frames)} frames" if isinstance(frames, list) else None,
        f"{rate:.4g} a second" if isinstance(rate, int | float) else None,
    )
    return f"[{', '.join(filter(None, (part['type'], *facts)))}]\n"
