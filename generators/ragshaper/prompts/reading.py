"""Readers: answering from documents alone, from memory alone, and with every answer there is."""

from random import Random
from typing import ClassVar

from pydantic import Field

from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record
from synthmill.sources.documents.quoting import Quoted

UNKNOWN = "unknown"


class ReaderAnswer(Record):
    """A short answer, or `unknown`."""

    answer: str = Field(description="a short phrase, or the word unknown")


class AnswerFrom(Prompt[ReaderAnswer]):
    """Asks a plain reader, who is told nothing of distractors, to answer from documents alone."""

    answer: ClassVar[type] = ReaderAnswer
    question: str
    documents: Quoted

    def embedded(self, rng: Random) -> str:
        """Follow the question's chain through the first statements that fit."""
        from synthmill.generators.ragshaper.skills.reading import answered

        return answered(self).model_dump_json()


class AnswerAlone(Prompt[ReaderAnswer]):
    """Asks the teacher for an answer without any document."""

    answer: ClassVar[type] = ReaderAnswer
    question: str

    def embedded(self, rng: Random) -> str:
        """The rules know nothing by heart."""
        return ReaderAnswer(answer=UNKNOWN).model_dump_json()


class Answers(Record):
    """Every distinct answer that the documents support, and where the way to it forks."""

    answers: list[str]
    forks: list[str] = Field(
        default=[], description="values of a step in between, where documents allow more than one"
    )


class AllAnswers(Prompt[Answers]):
    """Asks a careful reader for every answer that documents support."""

    answer: ClassVar[type] = Answers
    question: str
    documents: Quoted

    def embedded(self, rng: Random) -> str:
        """Follow the question's chain along every branch."""
        from synthmill.generators.ragshaper.skills.reading import all_answers

        return all_answers(self).model_dump_json()
