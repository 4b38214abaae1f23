"""The checks of document questions and trajectories as filters; the generator runs them by default.

The rules for questions are the hard rules and the second pass of the paper's synthesis prompt,
which has a model check itself; here each is a filter with a name. The paper discloses no test of
trajectories and no verification of unanswerable questions: those are ours, as are all thresholds.
"""

import re
from collections import Counter
from collections.abc import Sequence
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
from synthmill.generators.docdancer.records import (
    DocumentQuestionDetail,
    EvidenceSheet,
    RolloutDetail,
)
from synthmill.rewards.mmlongbench import UNANSWERABLE, mmlongbench_score
from synthmill.rewards.squad import mentions
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

_SECOND = re.compile(
    r"\?.*\?|[,;]?\s+and\s+(?:what|which|who|how (?:many|much)|when|where)\s+"
    r"(?:is|are|was|were|did|does|do)\b",
    re.I | re.S,
)
_LOCATOR = re.compile(
    r"\b(?:pages?|sections?|chapters?|appendix|paragraphs?|tables?|figures?|charts?|exhibits?|"
    r"footnotes?|notes?)\s+(?:no\.?\s*|number\s+|#\s*)?(?:\d+(?:\.\d+)*|[IVX]+|[A-Z]\d*)\b"
    r"|\bon pages?\b|\bsection_id\b|\b(?:first|last|next|previous) (?:page|section|chapter)\b",
)
_TOOLS = re.compile(
    r"\b(?:trajector(?:y|ies)|exploration|outline|tool calls?|search results?|read tool|"
    r"observations? above)\b",
    re.I,
)
_WHOLE = re.compile(
    r"\bhow many\s+(?:\w+\s+){0,2}?(?:pages?|words?|figures?|images?|pictures?|tables?|charts?|"
    r"sections?|chapters?|paragraphs?|footnotes?|times)\b",
    re.I,
)
_CODE = re.compile(r"\b(?=[\w.,/-]*\d)[\w.,/-]+\b")
_YES_NO = re.compile(r"(?:yes|no|true|false)\b[.!]?", re.I)
_POLAR = re.compile(
    r"^\W*(?:is|are|was|were|do|does|did|has|have|had|can|could|will|would|should)\b", re.I
)


class _QuestionRule(Verifier):
    """A rule for the questions of this generator; other rows are skipped."""

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail with the reason and what was found."""
        detail = question_detail(candidate)
        if detail is None:
            return self.verdict("skipped", "no document question")
        question, answer = asked(candidate), candidate.answer or ""
        broken = self._broken(question, answer, detail)
        if broken is None:
            return self.verdict("pass")
        reason, found = broken
        return self.verdict("fail", reason, detail=found)

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        raise NotImplementedError


class OneQuestion(_QuestionRule):
    """Fails what is not exactly one question: none, several in one, or one without an answer."""

    name = "one_question"

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        if not question.strip() or not answer.strip():
            return "no question or answer", None
        if found := _SECOND.search(question):
            return "several questions in one", found.group().strip()
        if not question.rstrip().endswith("?") and "?" not in question:
            return "not a question", None
        return None


class LocatorWords(_QuestionRule):
    """Fails a question that says where to look: page, section, table number, tool, exploration.

    Words of the content (`the table on revenue`) are allowed: they are clues.
    """

    name = "locator_words"

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        if found := _LOCATOR.search(question):
            return "locator words", found.group()
        if found := _TOOLS.search(question):
            return "speaks of the exploration", found.group()
        return None


class AnswerInQuestion(_QuestionRule):
    """Fails a question that holds its answer, or one of a list's items; choices of two too."""

    name = "answer_in_question"

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        if detail.answer_format == "None":
            return None
        items = answer.strip("[]").split(", ") if detail.answer_format == "List" else [answer]
        for item in (item.strip("'\" ") for item in items):
            if item and mentions(question, item):
                return "answer in the question", item
        return None


class CopiedNumbersSettings(Settings):
    """How long a number may be."""

    max_digits: int = Field(default=5, ge=1, description="digits of a number in a question")


class CopiedNumbers(_QuestionRule):
    """Fails a question with a long number or code: a search for it finds the place at once."""

    name = "copied_numbers"
    Settings = CopiedNumbersSettings
    settings: CopiedNumbersSettings

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        for found in _CODE.findall(question):
            if sum(sign.isdigit() for sign in found) > self.settings.max_digits:
                return "long number copied", found
        return None


class YesOrNo(_QuestionRule):
    """Fails a question of yes or no: half of all guesses are right."""

    name = "yes_or_no"

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        if _YES_NO.fullmatch(answer.strip()) or _POLAR.match(question):
            return "yes or no", answer
        return None


class DocumentCounts(_QuestionRule):
    """Fails counts of pages, words, figures, tables: statistics of layout, not of content."""

    name = "document_counts"

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        found = _WHOLE.search(question)
        return ("count over the whole document", found.group()) if found else None


class EvidencePlaced(_QuestionRule):
    """Fails a question whose evidence is not at recorded pages and offsets of the document.

    Every part that the author names must be in the document's tree: a quote in its text, a cell
    under its labels, a figure's caption. An answer that is a text must be in one of them.
    """

    name = "evidence_placed"

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        if detail.unplaced:
            return "evidence is not in the document", detail.unplaced[0]
        if not detail.places:
            return "no evidence", None
        quoted = "\n".join(f"{p.quote}\n{p.row}\n{p.value}" for p in detail.places)
        if detail.answer_format == "Str" and not mentions(quoted, answer):
            return "answer is not in its evidence", answer
        return None


class EvidenceSpanSettings(Settings):
    """How far the evidence reaches."""

    min_places: int = Field(default=2, ge=1, description="different pages, or sections (paper)")
    min_steps: int = Field(default=2, ge=1, description="reasoning steps (paper)")
    min_modalities: int = Field(
        default=1, ge=1, description="kinds of evidence; the paper asks for 2"
    )


class EvidenceSpan(_QuestionRule):
    """Fails a question whose evidence is on one page (one section, without pages), or trivial.

    `single_page` asks a reader too: evidence on two pages may still be answered from one.
    """

    name = "evidence_span"
    Settings = EvidenceSpanSettings
    settings: EvidenceSpanSettings

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        if len(detail.pages) < self.settings.min_places:
            return "answerable from one page", f"evidence on {detail.pages}"
        if len(detail.reasoning) < self.settings.min_steps:
            return "too few steps", str(len(detail.reasoning))
        if len(detail.modalities) < self.settings.min_modalities:
            return "one kind of evidence", ", ".join(detail.modalities)
        return None


class AbsenceSearched(_QuestionRule):
    """Fails an unanswerable question whose value may be in the document after all.

    The whole document was searched: no element may mention subject and attribute together (with
    its headings), and both must be mentioned somewhere, or the question is about nothing. The
    counter-evidence is in `detail.absence`. An answerable question must have another answer.
    """

    name = "absence_searched"

    def _broken(
        self, question: str, answer: str, detail: DocumentQuestionDetail
    ) -> tuple[str, str | None] | None:
        absence = detail.absence
        if absence is None:
            unanswerable = mmlongbench_score(answer, UNANSWERABLE, "None") >= 0.9
            return ("unanswerable without a search", answer) if unanswerable else None
        if answer != UNANSWERABLE:
            return "unanswerable with an answer", answer
        if not absence.subject.strip() or not absence.attribute.strip():
            return "nothing to search for", None
        if absence.joint:
            return "the document may give it", absence.joint[0].quote
        if not absence.subject_hits or not absence.attribute_hits:
            return "not about this document", f"{absence.subject} / {absence.attribute}"
        return None


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
        default=0.18, gt=0, le=1, description="of unanswerable questions"
    )


class TemplateShare(DiversityFilter):
    """Fails a row whose template would make up too much of the accepted rows of its kind.

    One row of each template is always let in. With fewer templates than fit (four, at a quarter) a
    run ends early: raise `max_share` then.
    """

    name = "template_share"
    Settings = TemplateShareSettings
    settings: TemplateShareSettings

    def __init__(self, settings: Any = None) -> None:
        super().__init__(settings)
        self._rows: list[tuple[str, str, str]] = []
        self._counts: Counter[tuple[str, str]] = Counter()

    @property
    def parameters(self) -> dict[str, Any]:
        """The memory depends on no setting."""
        return {}

    def judge(self, candidate: Candidate) -> Verdict:
        """The score is the share with this row."""
        template = template_of(candidate)
        if template is None:
            return self.verdict("skipped", "no document question")
        kind = candidate.kind
        own = self._counts[kind, template] + 1
        total = sum(n for (of, _), n in self._counts.items() if of == kind) + 1
        bound = self.settings.max_share
        if template == "unanswerable":
            bound = min(bound, self.settings.max_unanswerable)
        if own > max(1, int(bound * total)):
            found = f"{own} of {total} rows would be of {template}"
            return self.verdict("fail", "share of its template is full", detail=found)
        return self.verdict("pass", score=own / total)

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row_id: str, candidate: Candidate) -> None:
        """Count the row's template."""
        if template := template_of(candidate):
            self._rows.append((row_id, candidate.kind, template))
            self._counts[candidate.kind, template] += 1

    def to_arrow(self, start: int, stop: int) -> "pa.Table":
        """Columns `row_id`, `kind`, `template`."""
        import pyarrow as pa

        names = ("row_id", "kind", "template")
        columns = zip(*self._rows[start:stop], strict=True) if stop > start else ((), (), ())
        return pa.table({n: pa.array(c, pa.string()) for n, c in zip(names, columns, strict=True)})

    def from_arrow(self, table: "pa.Table") -> None:
        """See `DiversityFilter.from_arrow`."""
        for row in table.to_pylist():
            self._rows.append((row["row_id"], row["kind"], row["template"]))
            self._counts[row["kind"], row["template"]] += 1


def question_detail(candidate: Candidate) -> DocumentQuestionDetail | None:
    """The record of a question of this generator; None for other rows."""
    if candidate.kind != "rlvr" or '"exploration"' not in candidate.detail:
        return None
    return DocumentQuestionDetail.model_validate_json(candidate.detail)


def template_of(candidate: Candidate) -> str | None:
    """The template of a row of this generator; None for other rows."""
    if candidate.kind == "rlvr":
        detail = question_detail(candidate)
        return detail.template if detail else None
    if candidate.kind in ("trajectory", "preference") and '"read_pages"' in candidate.detail:
        return RolloutDetail.model_validate_json(candidate.detail).template
    return None


def asked(candidate: Candidate) -> str:
    """The question of a row of this generator."""
    return DocumentQuestionDetail.model_validate_json(candidate.detail).question
