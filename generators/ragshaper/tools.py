"""The retrieval tool, as the teacher and the trained agent see it."""

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from pydantic import BaseModel, Field

from synthmill.generators.agent.tools import Observation, Tool
from synthmill.sources.documents.corpus import titled
from synthmill.sources.documents.prompt_documents import PromptDocument

SEARCH = "query_knowledge_base_dense"  # the released code's name, whatever retriever stands behind
BETWEEN = "\n---\n"  # between the documents of an observation (released code)
NOTHING = "No document was found."
_START = re.compile(r"\A\[([^\n]*)\]\n")


class SearchArguments(BaseModel):
    """Arguments of a search."""

    query: str = Field(description="a descriptive query in natural language", max_length=2000)
    top_k: int | None = Field(default=None, ge=1, description="documents wanted at most")


Search = Callable[[str, int | None], Awaitable[tuple[list[PromptDocument], BaseModel]]]


class SearchTool(Tool):
    """Hands queries to a retriever; what it says beside the documents goes into the record."""

    name: ClassVar[str] = SEARCH
    description: ClassVar[str] = (
        "Search the knowledge base for documents that bear on a query. Each query stands alone."
    )
    Arguments: ClassVar[type[BaseModel]] = SearchArguments

    def __init__(self, search: Search) -> None:
        self._search = search

    async def run(self, arguments: SearchArguments) -> Observation:
        """The documents found, best first."""
        documents, record = await self._search(arguments.query, arguments.top_k)
        return Observation(text=joined(documents), detail=json.dumps(record.model_dump()))


def joined(documents: Sequence[PromptDocument]) -> str:
    """Documents as one observation: `[title]` and text of each, a line of dashes between."""
    parts = (
        titled(" ".join(d.title.split()), d.text.replace(BETWEEN, "\n- - -\n")) for d in documents
    )
    return BETWEEN.join(parts) or NOTHING


def split_documents(text: str) -> list[PromptDocument]:
    """The documents of an observation."""
    found = []
    for part in text.split(BETWEEN):
        start = _START.match(part)
        if start:
            found.append(PromptDocument(start.group(1), part[start.end() :]))
    return found
