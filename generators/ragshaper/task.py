"""What every step of a task works with, and reading documents with a model."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from synthmill.filters.verifiers.prompts.reading import UNKNOWN, AnswerFromDocuments
from synthmill.generators.base import Context
from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.models.prompt import Prompt
from synthmill.models.request import Sampling
from synthmill.sources.documents.document import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

T = TypeVar("T")

# Readers and judges answer in a few words, as deterministically as they can.
READING = Sampling(temperature=0.0, top_p=1.0, max_tokens=1024)


@dataclass(frozen=True, slots=True)
class RagTask:
    """A task's context with the knowledge base and the settings."""

    context: Context
    knowledge: KnowledgeBase
    settings: RagShaperSettings

    def scoped(self, prefix: str) -> "RagTask":
        """The same with `prefix/` in front of every purpose."""
        return replace(self, context=self.context.scoped(prefix))

    async def generate(
        self, prompt: Prompt[T], *, purpose: str, role: str, sampling: Sampling = READING
    ) -> T | None:
        """The answer of the model in `role`, or None where it is malformed."""
        reply = await self.context.generate(prompt, purpose=purpose, role=role, sampling=sampling)
        return reply.value

    async def read(
        self, question: str, documents: Sequence[PromptDocument], *, purpose: str
    ) -> str | None:
        """The reader's answer from documents: "" where it finds none, None if malformed."""
        quoted = PromptDocuments(documents=tuple(documents))
        prompt = AnswerFromDocuments(question=neutralize_markup(question), documents=quoted)
        reply = await self.generate(prompt, purpose=purpose, role="reader")
        if reply is None:
            return None
        answer = reply.answer.strip()
        return "" if answer.casefold().rstrip(".") == UNKNOWN else answer


def quotable(passages: Sequence[Passage]) -> tuple[PromptDocument, ...]:
    """Passages as documents of a prompt."""
    return tuple(PromptDocument(p.title, p.text) for p in passages)


def quote_in(quote: str, text: str) -> tuple[int, int] | None:
    """Start and end of a quote in a text, whatever white space is between its words, or None.

    Both are compared as prompts show them, which changes no offset.
    """
    words = neutralize_markup(quote).split()
    if not words:
        return None
    found = re.search(r"\s+".join(map(re.escape, words)), neutralize_markup(text))
    return found.span() if found else None
