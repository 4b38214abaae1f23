"""Rules for document questions, each a filter: no model is asked.

They are the hard rules and the second pass of the paper's synthesis prompt, which has the author
check itself; here each has a name and a reason. Thresholds are ours.
"""

import re
from abc import abstractmethod
from typing import TypeAlias

from pydantic import Field

from synthmill.filters.base import Verifier
from synthmill.generators.docdancer.records import DocumentQuestionDetail
from synthmill.rewards.mmlongbench import UNANSWERABLE, mmlongbench_score
from synthmill.rewards.squad import mentions
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict

_SECOND = re.compile(
    r"\?.*\?|[,;]?\s+and\s+(?:what|who|how\s+(?:many|much|long|old|far|high)|when|where)\b"
    r"|[,;]?\s+and\s+which\s+(?:\w+\s+)?(?:is|are|was|were|did|does|do|has|have)\b",
    re.I | re.S,
)
_LOCATOR = re.compile(
    r"\b(?i:pages?|sections?|chapters?|appendix|paragraphs?|tables?|figures?|charts?|exhibits?|"
    r"footnotes?|notes?)\s+(?i:no\.?\s*|number\s+|#\s*)?(?:\d+(?:\.\d+)*|[IVX]+|[A-Z]\d*)\b"
    r"|(?i:\bon pages?\b|\bsection_id\b|\b(?:first|last|next|previous) (?:page|section|chapter)\b)"
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


Broken: TypeAlias = tuple[str, str | None] | None  # reason and what was found


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

    @abstractmethod
    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
        """The reason and what was found, or None."""


class OneQuestion(_QuestionRule):
    """Fails what is not exactly one question: none, several in one, or one without an answer."""

    name = "one_question"

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
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

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
        if found := _LOCATOR.search(question):
            return "locator words", found.group()
        if found := _TOOLS.search(question):
            return "speaks of the exploration", found.group()
        return None


class AnswerInQuestion(_QuestionRule):
    """Fails a question that holds its answer, or one of a list's items; choices of two too."""

    name = "answer_in_question"

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
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

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
        for found in _CODE.findall(question):
            if sum(sign.isdigit() for sign in found) > self.settings.max_digits:
                return "long number copied", found
        return None


class YesOrNo(_QuestionRule):
    """Fails a question of yes or no: half of all guesses are right."""

    name = "yes_or_no"

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
        if _YES_NO.fullmatch(answer.strip()) or _POLAR.match(question):
            return "yes or no", answer
        return None


class DocumentCounts(_QuestionRule):
    """Fails counts of pages, words, figures, tables: statistics of layout, not of content."""

    name = "document_counts"

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
        found = _WHOLE.search(question)
        return ("count over the whole document", found.group()) if found else None


class EvidencePlaced(_QuestionRule):
    """Fails a question whose evidence is not at recorded pages and offsets of the document.

    Every part that the author names must be in the document's tree: a quote in its text, a cell
    under its labels, a figure's caption. An answer that is a text must be in one of them.
    """

    name = "evidence_placed"

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
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

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
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

    def _broken(self, question: str, answer: str, detail: DocumentQuestionDetail) -> Broken:
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


def question_detail(candidate: Candidate) -> DocumentQuestionDetail | None:
    """The record of a question of this generator; None for other rows."""
    if candidate.kind != "rlvr" or '"exploration"' not in candidate.detail:
        return None
    return DocumentQuestionDetail.model_validate_json(candidate.detail)


def asked(candidate: Candidate) -> str:
    """The question of a row of this generator."""
    return DocumentQuestionDetail.model_validate_json(candidate.detail).question
