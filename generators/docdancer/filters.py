"""The checks of document questions and trajectories as filters; the generator runs them by default.

`question_rules` holds those that need no model. The paper discloses no test of trajectories and no
verification of unanswerable questions: those are ours, as are all thresholds.
"""

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING, Any

from pydantic import Field

from synthmill.filters.base import (
    DiversityFilter,
    FilterContext,
    ModelFilterSettings,
    ModelVerifier,
    Verifier,
)
from synthmill.filters.evidence import READING
from synthmill.generators.docdancer.prompts import AnswerFromPages
from synthmill.generators.docdancer.question_rules import (
    AbsenceSearched,
    AnswerInQuestion,
    CopiedNumbers,
    DocumentCounts,
    EvidencePlaced,
    EvidenceSpan,
    LocatorWords,
    OneQuestion,
    YesOrNo,
    asked,
    question_detail,
)
from synthmill.generators.docdancer.records import (
    DocumentQuestionDetail,
    EvidenceSheet,
    RolloutDetail,
)
from synthmill.rewards.mmlongbench import UNANSWERABLE, mmlongbench_score
from synthmill.schemas.base import Settings
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = [
    "DEFAULT_FILTERS",
    "AbsenceSearched",
    "AnswerInQuestion",
    "CopiedNumbers",
    "DocumentCounts",
    "EvidencePlaced",
    "EvidenceSpan",
    "EvidenceSupports",
    "LocatorWords",
    "OneQuestion",
    "RolloutScore",
    "SinglePage",
    "TemplateShare",
    "YesOrNo",
]

DEFAULT_FILTERS = (
    FilterSpec(name="one_question"),
    FilterSpec(name="locator_words"),
    FilterSpec(name="answer_in_question"),
    FilterSpec(name="copied_numbers"),
    FilterSpec(name="yes_or_no"),
    FilterSpec(name="document_counts"),
    FilterSpec(name="evidence_placed"),
    FilterSpec(name="evidence_span"),
    FilterSpec(name="absence_searched"),
    FilterSpec(name="rollout_score"),
    FilterSpec(name="evidence_supports"),
    FilterSpec(name="single_page"),
    FilterSpec(name="closed_book", settings={"only_with_evidence": True}),
    FilterSpec(name="template_share"),
)


class SupportSettings(ModelFilterSettings):
    """Who reads the evidence."""

    role: str = Field(default="reader", description="the model role that reads and answers")
    min_score: float = Field(
        default=0.9, gt=0, le=1, description="MMLongBench-Doc score of the same answer"
    )


class _PageReader(ModelVerifier):
    """Asks a reader to answer from pages of the evidence; their pictures are not shown."""

    Settings = SupportSettings
    settings: SupportSettings

    async def _answers(
        self, candidate: Candidate, sheets: Sequence[EvidenceSheet], context: FilterContext, at: str
    ) -> tuple[bool, str]:
        """Whether the reader gives the row's answer, and what it says."""
        detail = DocumentQuestionDetail.model_validate_json(candidate.detail)
        pages = tuple(PromptDocument(detail.document.title, sheet.xml) for sheet in sheets)
        reply = await context.generate(
            AnswerFromPages(
                question=neutralize_markup(asked(candidate)),
                pages=PromptDocuments(documents=pages),
            ),
            purpose=f"filter/{self.name}/{at}",
            role=self.settings.role,
            sampling=READING,
        )
        said = reply.unwrap().answer.strip()
        score = mmlongbench_score(said, candidate.answer or "", detail.answer_format)
        return score >= self.settings.min_score, said


class EvidenceSupports(_PageReader):
    """Fails a question whose answer a reader does not find on the pages of its evidence.

    Not checked: what is only in pictures. Unanswerable questions are skipped.
    """

    name = "evidence_supports"

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail with what was read."""
        detail = question_detail(candidate)
        if detail is None or detail.absence is not None:
            return self.verdict("skipped", "no answerable document question")
        right, said = await self._answers(candidate, detail.sheets, context, "all")
        if right:
            return self.verdict("pass", score=1.0)
        return self.verdict("fail", "not supported", score=0.0, detail=f"read: {said!r}")


class SinglePage(_PageReader):
    """Fails a question that a reader answers from one page of its evidence alone.

    For unanswerable questions it fails where a page gives any answer.
    """

    name = "single_page"

    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """Pass, or fail with the page."""
        detail = question_detail(candidate)
        if detail is None:
            return self.verdict("skipped", "no document question")
        for sheet in detail.sheets:
            where = str(sheet.page or sheet.section)
            right, said = await self._answers(candidate, [sheet], context, where)
            found = f"{where}: {said!r}"
            if detail.absence is not None:
                if said.casefold().strip(" .") not in ("unknown", UNANSWERABLE.casefold()):
                    return self.verdict("fail", "a page gives an answer", detail=found)
            elif right:
                return self.verdict("fail", "answerable from one page", detail=found)
        return self.verdict("pass")


class RolloutScoreSettings(Settings):
    """Which trajectories are kept."""

    grounded: bool = Field(
        default=True, description="keep right answers only where all evidence pages were seen"
    )


class RolloutScore(Verifier):
    """Rejection sampling: keeps trajectories whose answer scores enough by MMLongBench-Doc's rule.

    `generator.settings.rollouts.keep_score` decides what is right.
    """

    name = "rollout_score"
    Settings = RolloutScoreSettings
    settings: RolloutScoreSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail as wrong, unfinished or ungrounded; the score is MMLongBench-Doc's."""
        if candidate.kind != "trajectory" or '"read_pages"' not in candidate.detail:
            return self.verdict("skipped", "no document trajectory")
        detail = RolloutDetail.model_validate_json(candidate.detail)
        said = f"{detail.prediction!r}, score {detail.score:.2f}"
        if not detail.prediction:
            return self.verdict("fail", detail.stop, score=0.0)
        if not detail.right:
            return self.verdict("fail", "wrong answer", score=detail.score, detail=said)
        if self.settings.grounded and not detail.grounded:
            seen = f"pages seen: {list(detail.read_pages)}"
            return self.verdict("fail", "right without evidence", score=detail.score, detail=seen)
        return self.verdict("pass", score=detail.score)


class TemplateShareSettings(Settings):
    """The largest shares."""

    max_share: float = Field(default=0.25, gt=0, le=1, description="of one template")
    max_unanswerable: float = Field(
        default=0.15, gt=0, le=1, description="of unanswerable questions"
    )


class TemplateShare(DiversityFilter):
    """Fails a question whose template would make up too much of the accepted questions.

    The bound is rounded up to a row, or no first row could come in. With fewer templates than fit
    (four, at a quarter) a run ends early: raise `max_share` then.
    """

    name = "template_share"
    Settings = TemplateShareSettings
    settings: TemplateShareSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._rows: list[tuple[str, str]] = []
        self._counts: Counter[str] = Counter()

    @property
    def parameters(self) -> dict[str, Any]:
        """The memory depends on no setting."""
        return {}

    def judge(self, candidate: Candidate) -> Verdict:
        """The score is the share with this row."""
        template = template_of(candidate)
        if template is None:
            return self.verdict("skipped", "no document question")
        own, total = self._counts[template] + 1, len(self) + 1
        bound = self.settings.max_share
        if template == "unanswerable":
            bound = min(bound, self.settings.max_unanswerable)
        if own > ceil(bound * total):
            found = f"{own} of {total} questions would be of {template}"
            return self.verdict("fail", "share of its template is full", detail=found)
        return self.verdict("pass", score=own / total)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row_id: str, candidate: Candidate) -> None:
        """Count the row's template."""
        if template := template_of(candidate):
            self._rows.append((row_id, template))
            self._counts[template] += 1

    def to_arrow(self, start: int, stop: int) -> "pa.Table":
        """Columns `row_id` and `template`."""
        import pyarrow as pa

        names = ("row_id", "template")
        columns = zip(*self._rows[start:stop], strict=True) if stop > start else ((), ())
        return pa.table({n: pa.array(c, pa.string()) for n, c in zip(names, columns, strict=True)})

    def from_arrow(self, table: "pa.Table") -> None:
        """See `DiversityFilter.from_arrow`."""
        for row in table.to_pylist():
            self._rows.append((row["row_id"], row["template"]))
            self._counts[row["template"]] += 1


def template_of(candidate: Candidate) -> str | None:
    """The template of a question of this generator; None for other rows."""
    detail = question_detail(candidate)
    return detail.template if detail else None
