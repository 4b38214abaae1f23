"""Writing distractors, and telling them from the truth."""

from typing import Literal

from pydantic import Field

from synthmill.generators.ragshaper.taxonomy import Kind
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record
from synthmill.sources.documents.prompt_documents import PromptDocuments


class WrittenDocument(Record):
    """One distractor as its author wrote it."""

    title: str
    text: str = Field(description="three to six sentences in the style of the source")
    marker: str = Field(description="words of the text or title that tell it from the source")
    misleading_claim: str = Field(description="what a careless reader takes from it")
    wrong_answer: str = Field(description="what a careless reader answers to the question")


class WrittenDistractors(Record):
    """Distractors of one type about one fact."""

    question: str = Field(description="a self-contained question that the fact answers")
    true_answer: str = Field(description="its answer by the fact: a few words")
    documents: list[WrittenDocument]


class WriteDistractors(Prompt[WrittenDistractors]):
    """Asks for distractors: the original fact, the type and its guideline (the paper's inputs)."""

    fact: str
    kind: Kind
    guideline: str
    source: PromptDocuments
    context: PromptDocuments


class Choice(Record):
    """Which of two sides answers a question rightly."""

    choice: Literal["first", "second", "cannot tell"]
    reason: str = Field(description="the words that decide it")


class TellApart(Prompt[Choice]):
    """Asks a careful judge which of two sides answers the question; one is a distractor."""

    question: str
    first: PromptDocuments
    second: PromptDocuments
