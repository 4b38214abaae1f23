"""Can a model answer the question without the evidence?"""

from pydantic import Field

from synthmill.filters.base import FilterContext, ModelFilterSettings, ModelVerifier
from synthmill.filters.evidence import evidence_or_question, is_answer
from synthmill.filters.verifiers.prompts.reading import AnswerFromMemory
from synthmill.models.request import Sampling
from synthmill.schemas.evidence import evidence_of
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.prompt_documents import neutralize_markup


class ClosedBookSettings(ModelFilterSettings):
    """Whose memory is asked, and how often; all defaults are ours."""

    role: str = Field(
        default="teacher", description="whose memory is asked; best the model to be trained"
    )
    samples: int = Field(default=3, ge=1, le=64, description="answers drawn without evidence")
    max_right: int = Field(default=0, ge=0, description="right answers that are still accepted")
    temperature: float = Field(default=0.7, ge=0, le=2, description="of the samples")
    only_with_evidence: bool = Field(default=False, description="skip rows without evidence")
    min_f1: float = Field(
        default=0.9, gt=0, le=1, description="token F1 from which two answers are the same"
    )


class ClosedBook(ModelVerifier):
    """Fails a question that a model answers from memory: it teaches no search and no reading.

    The model gets the question alone, `samples` times; the score is the share of right answers.
    Question and answer are those of the row's evidence, else its user turns and `answer`; without
    an answer the row is skipped. Samples that are malformed count as wrong; it is an `error` when
    all of them are.

    Not checked: whether the evidence is needed by another model, or whether a right answer was
    guessed (yes or no, one of few choices: raise `max_right`).

    RAGShaper (arXiv 2601.08699) names no such check; the filter is ours.
    """

    name = "closed_book"
    forms = ("json", "samples")
    Settings = ClosedBookSettings
    settings: ClosedBookSettings

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail as known without evidence."""
        evidence = evidence_or_question(candidate)
        if evidence is None or (self.settings.only_with_evidence and not evidence_of(candidate)):
            return self.verdict("skipped", "no question with an answer")
        replies = await context.sample(
            AnswerFromMemory(question=neutralize_markup(evidence.question)),
            self.settings.samples,
            purpose=f"filter/{self.name}",
            role=self.settings.role,
            sampling=Sampling(temperature=self.settings.temperature, top_p=1.0, max_tokens=1024),
        )
        said = [reply.value.answer for reply in replies if reply.value is not None]
        if not said:
            return self.verdict("error", "malformed answer", detail=replies[0].malformed)
        right = [s for s in said if is_answer(s, evidence, self.settings.min_f1)]
        score = len(right) / len(replies)
        if len(right) > self.settings.max_right:
            detail = f"{len(right)} of {len(replies)} samples: {right[0]!r}"
            return self.verdict("fail", "known without evidence", score=score, detail=detail)
        return self.verdict("pass", score=score)
