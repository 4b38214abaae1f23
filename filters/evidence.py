"""Reading a row's evidence: locating its quotes, and asking reader models about them."""

from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import Field

from synthmill.filters.base import FilterContext, ModelFilterSettings
from synthmill.filters.text import question
from synthmill.filters.verifiers.prompts.reading import UNKNOWN, AnswerFromDocuments
from synthmill.models.request import Sampling
from synthmill.rewards.math_answers import equal_by_rule, parse_number
from synthmill.rewards.squad import mentions, token_f1
from synthmill.schemas.evidence import Evidence, EvidencePassage, EvidenceQuote, evidence_of
from synthmill.schemas.row import Candidate
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

# Ours: readers give their most likely answer in a few words; some models think before.
READING = Sampling(temperature=0.0, top_p=1.0, max_tokens=1024)


class ReaderSettings(ModelFilterSettings):
    """Which model reads, and what it is shown; all defaults are ours."""

    role: str = Field(default="reader", description="the model role that reads and answers")
    show: Literal["quotes", "passages"] = Field(
        default="quotes", description="the quotes alone, or the passages that hold them"
    )
    min_f1: float = Field(
        default=0.9, gt=0, le=1, description="token F1 from which two answers are the same"
    )

    def part_of(self, quote: EvidenceQuote, evidence: Evidence) -> tuple[str, str]:
        """Title and text of what the reader is shown for a quote."""
        passage = passage_of(quote, evidence)
        title = passage.title if passage else (quote.source and quote.source.title) or ""
        return title, passage.text if passage and self.show == "passages" else quote.text


class MalformedReading(Exception):
    """The reader's answer cannot be used."""


def evidence_or_question(candidate: Candidate) -> Evidence | None:
    """The row's evidence, else its bare question and answer; None where it lacks one of them."""
    found = evidence_of(candidate)
    if found is None:
        found = Evidence(question=question(candidate), answer=candidate.answer or "")
    return found if found.question.strip() and found.answer.strip() else None


def is_answer(said: str, evidence: Evidence, min_f1: float) -> bool:
    """Whether `said` is the answer: equal as a number, else by token F1; or one of its aliases."""
    return any(_same(truth, said, min_f1) for truth in (evidence.answer, *evidence.aliases))


def passage_of(quote: EvidenceQuote, evidence: Evidence) -> EvidencePassage | None:
    """The passage that covers the place of a quote."""
    place = quote.source
    if place is None or place.start is None or place.end is None:
        return None
    for passage in evidence.passages:
        inside = passage.start <= place.start < place.end <= passage.start + len(passage.text)
        if passage.uri == place.uri and inside:
            return passage
    return None


def misplaced(quote: EvidenceQuote, evidence: Evidence) -> str | None:
    """Why a quote is not at the place that its source names, or None."""
    place = quote.source
    if place is None or place.start is None or place.end is None:
        return "quote without a place"
    passage = passage_of(quote, evidence)
    if passage is None:
        return "quote outside of the passages"
    found = passage.text[place.start - passage.start : place.end - passage.start]
    if found.split() != quote.text.split():
        return "quote differs from its source"
    if quote.output and not mentions(quote.text, quote.output):
        return "quote without its output"
    return None


def shown(documents: Iterable[tuple[str, str]]) -> PromptDocuments:
    """Titles and texts as prompts show them: marked as data, each once."""
    return PromptDocuments(
        documents=tuple(PromptDocument(*document) for document in dict.fromkeys(documents))
    )


async def read_answer(
    settings: ReaderSettings,
    evidence: Evidence,
    quotes: Sequence[EvidenceQuote],
    context: FilterContext,
    purpose: str,
) -> str:
    """What a reader answers from quotes; "" where it finds no answer in them.

    Raises:
        MalformedReading: the answer is not of the form asked for.
    """
    reply = await context.generate(
        AnswerFromDocuments(
            question=neutralize_markup(evidence.question),
            documents=shown(settings.part_of(quote, evidence) for quote in quotes),
        ),
        purpose=purpose,
        role=settings.role,
        sampling=READING,
    )
    if reply.value is None:
        raise MalformedReading(reply.malformed)
    said = reply.value.answer.strip()
    return "" if said.casefold().rstrip(".") == UNKNOWN else said


def _same(truth: str, said: str, min_f1: float) -> bool:
    if parse_number(truth) and parse_number(said):
        return bool(equal_by_rule(truth, said))  # F1 drops signs and points: -5 would equal 5
    return token_f1(said, truth) >= min_f1
