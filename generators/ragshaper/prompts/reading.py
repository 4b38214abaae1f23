"""Readers: answering from documents alone, from memory alone, and with every answer there is."""

from pydantic import Field

from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record
from synthmill.sources.documents.prompt_documents import PromptDocuments

UNKNOWN = "unknown"


class ReaderAnswer(Record):
    """A short answer, or `unknown`."""

    answer: str = Field(description="a short phrase, or the word unknown")


class AnswerFrom(Prompt[ReaderAnswer]):
    """Asks a plain reader, who is told nothing of distractors, to answer from documents alone."""

    question: str
    documents: PromptDocuments


class AnswerAlone(Prompt[ReaderAnswer]):
    """Asks the teacher for an answer without any document."""

    question: str


class Answers(Record):
    """Every distinct answer that the documents support, and where the way to it forks."""

    answers: list[str]
    forks: list[str] = Field(
        default=[], description="values of a step in between, where documents allow more than one"
    )


class AllAnswers(Prompt[Answers]):
    """Asks a careful reader for every answer that documents support."""

    question: str
    documents: PromptDocuments
