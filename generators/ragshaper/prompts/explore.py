"""The curator's next step in an information tree."""

from typing import Literal

from pydantic import Field

from synthmill.generators.ragshaper.taxonomy import TAXONOMY, Kind
from synthmill.generators.ragshaper.tools import SEARCH
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record
from synthmill.sources.documents.prompt_documents import PromptDocuments

DISTRACT = "write_distractor_docs"
FINISH = "finish"  # ours: a branch with nothing left to find ends, instead of circling to its depth


__all__ = ["DISTRACT", "FINISH", "SEARCH", "ExploreStep", "Explored", "NextAction"]


class NextAction(Record):
    """An intention with the action that serves it."""

    intention: str = Field(description="why this step, in one sentence")
    tool: Literal["query_knowledge_base_dense", "write_distractor_docs", "finish"]
    query: str = Field(default="", description="for query_knowledge_base_dense")
    fact: str = Field(default="", description="for write_distractor_docs: a sentence, verbatim")
    types: list[Kind] = Field(default=[], description="for write_distractor_docs: one or two")


class Explored(Record):
    """A step behind: what was meant, done and seen."""

    intention: str
    tool: str
    argument: str
    found: PromptDocuments


class ExploreStep(Prompt[NextAction]):
    """Asks the curator for the next action, given the way from the root (and no other branch)."""

    seed: str
    steps: tuple[Explored, ...]
    used: tuple[str, ...]
    lacking: tuple[Kind, ...]
    calls: int
    written: int
    wanted_calls: int
    wanted_documents: int
    room: bool
    child: int
    guidelines: dict[Kind, str] = {kind: recipe.guideline for kind, recipe in TAXONOMY.items()}
