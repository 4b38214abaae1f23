"""Writing a question from a path of the tree."""

from typing import Literal

from pydantic import Field

from synthmill.generators.ragshaper.prompts.explore import Explored
from synthmill.generators.ragshaper.taxonomy import Kind
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record
from synthmill.sources.documents.prompt_documents import PromptDocuments


class ReasoningStep(Record):
    """One hop: a fact, the sentence that states it, and what it yields."""

    hop: int
    fact: str
    evidence: str = Field(description="a sentence copied verbatim from a document")
    output: str = Field(description="the entity or value that this hop yields")


class NegativeAspect(Record):
    """One way to be misled."""

    dimension: Literal["doppelganger", "false_shortcut", "fragmented_puzzle", "subjective_fallacy"]
    misleading_claim: str
    disambiguation: str
    distraction_text: str


class SynthesizedQuestion(Record):
    """The paper's output fields."""

    question: str
    answer: str
    reasoning_steps: list[ReasoningStep]
    negative_aspect: list[NegativeAspect] = []


class Misleading(Record):
    """A distractor of the path, as the question's author is shown it."""

    kind: Kind
    document: PromptDocuments
    fact: str
    claim: str
    marker: str


class SynthesizeQuestion(Prompt[SynthesizedQuestion]):
    """Asks for a question from a path; `failure` tells why the last try was refused."""

    steps: tuple[Explored, ...]
    misleading: tuple[Misleading, ...]
    min_hops: int
    max_sentences: int
    failure: str = ""
