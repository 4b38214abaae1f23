"""Text of documents as data in prompts, between delimiters that the text cannot close.

A document may contain anything: instructions to the model, a fake tool result, special tokens of a
chat template. Characters that a template, a tool-call parser or our delimiters would read as
structure are replaced one for one, so that offsets into the text stay valid.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from synthmill.schemas.base import Record

# `<|im_end|>` and its like (DeepSeek's bar is a wide one), `[INST]`, `<<SYS>>`, and the tags that
# tool-call parsers and agents look for.
_SPECIAL = re.compile(
    r"<(?=[|｜]|/?s>|</?SYS>>|/?(?:tool_call|tool_response|tools|think|function|final_answer|rag_final_answer|"
    r"start_of_turn|end_of_turn|bos|eos|pad)\b)"
    r"|\[(?=/?(?:INST|SYS|SYSTEM_PROMPT|TOOL_CALLS|TOOL_CONTENT|TOOL_RESULTS|AVAILABLE_TOOLS)\])",
    re.IGNORECASE,
)
_REPLACEMENTS = {"<": "‹", "[": "⁅"}


class PromptDocument(NamedTuple):
    """A text with its title, shown to a model as data."""

    title: str
    text: str


class PromptDocuments(Record):
    """Documents in a prompt's fields; its template shows `delimited`."""

    documents: tuple[PromptDocument, ...] = ()

    @property
    def delimited(self) -> str:
        """All documents between delimiters."""
        return delimited(self.documents)


def neutralize_markup(text: str) -> str:
    """The text with structural characters replaced by others; the length stays the same."""
    return _SPECIAL.sub(lambda found: _REPLACEMENTS[found.group()], text)


def delimited(documents: Sequence[PromptDocument]) -> str:
    """Documents between delimiters that contain a hash of the content.

    To close its delimiter, a document would have to contain its own hash.
    """
    return "\n\n".join(_fenced(number, d) for number, d in enumerate(documents, 1))


def _fenced(number: int, document: PromptDocument) -> str:
    mark = hashlib.sha256(f"{document.title}\n{document.text}".encode("utf-8", "replace"))
    name = f"document {number} {mark.hexdigest()[:10]}"
    title = " ".join(neutralize_markup(document.title).split())
    return f"<<{name}>>\n[{title}]\n{neutralize_markup(document.text)}\n<<end of {name}>>"
