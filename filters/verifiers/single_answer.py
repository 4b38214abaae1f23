"""Do the documents admit one answer alone?"""

from pydantic import Field

from synthmill.filters.base import FilterContext, ModelFilterSettings, ModelVerifier
from synthmill.filters.evidence import READING, is_answer, shown
from synthmill.filters.verifiers.prompts.reading import ListAnswers
from synthmill.schemas.evidence import evidence_of
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.prompt_documents import neutralize_markup


class SingleAnswerSettings(ModelFilterSettings):
    """In how many documents a second answer is looked for; all defaults are ours."""

    max_passages: int = Field(default=24, ge=1, description="passages that the reader is shown")
    min_f1: float = Field(
        default=0.9, gt=0, le=1, description="token F1 from which two answers are the same"
    )


class SingleAnswer(ModelVerifier):
    """Asks a careful reader for every answer that the evidence admits; all must be the row's own.

    The reader is shown the evidence's passages and those found around it (`further_passages`). It
    also fails where a step on the way allows several values, even if one alone leads to the
    answer, and where the reader finds no answer.

    Not checked: answers in documents that the evidence does not hold. Rows without evidence or
    passages are skipped. Ours.
    """

    name = "single_answer"
    Settings = SingleAnswerSettings
    settings: SingleAnswerSettings

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail with the other answers."""
        evidence = evidence_of(candidate)
        passages = [*evidence.passages, *evidence.further_passages] if evidence else []
        if evidence is None or not passages:
            return self.verdict("skipped", "no evidence")
        reply = await context.generate(
            ListAnswers(
                question=neutralize_markup(evidence.question),
                documents=shown((p.title, p.text) for p in passages[: self.settings.max_passages]),
            ),
            purpose=f"filter/{self.name}",
            role=self.settings.role,
            sampling=READING,
        )
        if reply.value is None:
            return self.verdict("error", "malformed answer", detail=reply.malformed)
        listed = reply.value
        others = [a for a in listed.answers if not is_answer(a, evidence, self.settings.min_f1)]
        if others:
            return self.verdict("fail", "several answers", detail="; ".join(others))
        if len(listed.forks) > 1:
            reason = "a step allows several values"
            return self.verdict("fail", reason, detail="; ".join(listed.forks))
        if not listed.answers:
            return self.verdict("fail", "no answer found")
        return self.verdict("pass")
