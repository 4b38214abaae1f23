"""The turns of a conversation as a person reads them."""

from collections.abc import Sequence
from textwrap import indent

from rich.console import Console

from synthmill.flows.terminal.console import text
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart


def print_messages(console: Console, messages: Sequence[Message]) -> None:
    """Print turns one below the other: who speaks, and what is thought, said and called."""
    for message in messages:
        masked = "" if message.train else " (not trained on)"
        name = f" {message.name}" if message.name else ""
        console.print(text(f"{message.role}{name}{masked}", "bold cyan"))
        for label, said in (
            ("thinking: ", message.reasoning),
            ("", "".join(map(_part_text, message.parts))),
            ("calls: ", message.tool_calls),
        ):
            if said:
                console.print(text(indent(label + said, "  ")), soft_wrap=True)


def _part_text(part: TextPart | ImagePart | VideoPart) -> str:
    """A content part: its text, or a line that says what it shows."""
    if isinstance(part, TextPart):
        return part.text
    if isinstance(part, ImagePart):
        return "[image]\n"
    frames = f", {len(part.paths)} frames" if part.has_frames else ""
    rate = f", {part.fps:.4g} a second" if part.fps else ""
    return f"[video{frames}{rate}]\n"
