"""Readers of a question: from memory, from documents alone, and with every answer there is."""

from typing import Annotated

from pydantic import Field

from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record
from synthmill.sources.documents.prompt_documents import PromptDocuments

UNKNOWN = "unknown"
Phrase = Annotated[str, Field(max_length=1000)]


class ShortAnswer(Record):
    """A short answer, or `unknown`."""

    answer: str = Field(max_length=1000, description="a short phrase, or the word unknown")


class AnswerFromMemory(Prompt[ShortAnswer]):
    """Asks for an answer without any document."""

    question: str


class AnswerFromDocuments(Prompt[ShortAnswer]):
    """Asks for an answer from documents and from nothing else."""

    question: str
    documents: PromptDocuments


class ListedAnswers(Record):
    """Every distinct answer that documents support, and where the way to it forks."""

    answers: list[Phrase] = Field(max_length=20)
    forks: list[Phrase] = Field(
        default=[],
        max_length=20,
        description="values of a step in between, where documents allow more than one",
    )


class ListAnswers(Prompt[ListedAnswers]):
    """Asks a careful reader for every answer that documents support."""

    question: str
    documents: PromptDocuments
