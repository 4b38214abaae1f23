"""Questions from an exploration: written by template, located in the document, judged."""

from collections.abc import Sequence
from typing import NamedTuple

from synthmill.generators.base import Judged
from synthmill.generators.docdancer.absence import search_absence
from synthmill.generators.docdancer.crops import boxes_of
from synthmill.generators.docdancer.exploration import explored
from synthmill.generators.docdancer.places import locate, sheets_of
from synthmill.generators.docdancer.prompts import EvidenceItem, WriteQuestion, WrittenQuestion
from synthmill.generators.docdancer.records import (
    TEMPLATES,
    DocumentQuestionDetail,
    EvidencePlace,
    ExplorationStep,
    Template,
)
from synthmill.generators.docdancer.rows import question_row
from synthmill.generators.docdancer.task import DocumentTask
from synthmill.schemas.evidence import Evidence, EvidencePassage, EvidenceQuote
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)
from synthmill.sources.documents.views import full_xml

EMPTY = WrittenQuestion(
    question="", answer="", answer_format="Str", reasoning_steps=[], evidence=[]
)


class JudgedDocumentQuestion(NamedTuple):
    """A question's record with its judged row."""

    detail: DocumentQuestionDetail
    judged: Judged


class QuestionAuthor:
    """Writes the questions of one explored document."""

    def __init__(self, task: DocumentTask, steps: Sequence[ExplorationStep]) -> None:
        self._task = task
        self._steps = steps
        self._sections = _sections(task, steps)
        self._asked: list[str] = []

    async def write(self, template: Template) -> JudgedDocumentQuestion:
        """The first attempt that the filters accept, else the last one.

        A new attempt gets the reason why the last one was rejected. An author that leaves the
        question empty gives up.
        """
        settings, failure, attempt = self._task.settings.questions, "", 0
        while True:
            prompt = WriteQuestion(
                template=template,
                guideline=TEMPLATES[template],
                outline=self._task.outline,
                steps=explored(self._steps, self._task.settings.exploration.earlier_chars),
                sections=self._sections,
                asked=tuple(map(neutralize_markup, self._asked)),
                min_places=settings.min_places,
                min_steps=settings.min_steps,
                failure=failure,
            )
            reply = await self._task.context.generate(
                prompt,
                purpose=f"ask/{template}/{attempt}",
                role="author",
                sampling=settings.sampling,
            )
            detail = self._detail(template, reply.value or EMPTY)
            row = question_row(self._task, detail, reply.value or EMPTY)
            if reply.value is None:
                malformed = Verdict(
                    filter="docdancer.author",
                    status="fail",
                    reason="malformed question",
                    detail=reply.malformed,
                )
                row = row.model_copy(update={"verdicts": [malformed]})
            judged = await self._task.context.verify(row)
            attempt += 1
            gave_up = reply.value is not None and not reply.value.question.strip()
            if judged.accepted or gave_up or attempt == settings.attempts:
                if judged.accepted:
                    self._asked.append((reply.value or EMPTY).question)
                return JudgedDocumentQuestion(detail, judged)
            last = judged.verdicts[-1]
            failure = neutralize_markup(
                f"{last.reason}: {last.detail}" if last.detail else str(last.reason)
            )

    def _detail(self, template: Template, written: WrittenQuestion) -> DocumentQuestionDetail:
        document = self._task.document
        located = [(item, locate(document, item)) for item in written.evidence]
        places = [place for _, place in located if place is not None]
        absence = None
        if written.answer_format == "None":
            absence = search_absence(document, written.absent_subject, written.absent_attribute)
        return DocumentQuestionDetail(
            document=self._task.reference,
            question=written.question,
            template=template,
            answer_format=written.answer_format,
            reasoning=tuple(written.reasoning_steps),
            places=tuple(places),
            sheets=tuple(sheets_of(document, places)),
            boxes=tuple(boxes_of(document, places)),
            unplaced=tuple(_named(item) for item, place in located if place is None),
            evidence=None if absence else self._evidence(written, places),
            absence=absence,
            exploration=tuple(self._steps),
        )

    def _evidence(self, written: WrittenQuestion, places: Sequence[EvidencePlace]) -> Evidence:
        document, passages = self._task.document, dict[tuple[int, int], EvidencePassage]()
        for place in places:
            span = (place.start, place.end)
            if (page := document.page_at(place.start)) and place.end <= page.end:
                span = (page.start, page.end)
            passages[span] = EvidencePassage(
                uri=document.uri,
                title=document.title,
                start=span[0],
                text=document.text[slice(*span)],
            )
        return Evidence(
            question=written.question,
            answer=written.answer,
            quotes=tuple(
                EvidenceQuote(
                    text=p.quote, source=self._task.source(p.start, p.end), output=p.value
                )
                for p in places
            ),
            passages=tuple(passages.values()),
        )


def _named(item: EvidenceItem) -> str:
    where = f"table {item.table}, {item.row!r}, {item.column!r}: " if item.table is not None else ""
    where = where or (f"figure {item.figure}: " if item.figure is not None else "")
    return f"{where}{item.quote}"


def _sections(task: DocumentTask, steps: Sequence[ExplorationStep]) -> PromptDocuments:
    """The sections that the exploration read or found, in full, in document order.

    A section within another one that is shown is not shown again.
    """
    document, seen = task.document, "\n".join(f"{s.arguments}\n{s.observation}" for s in steps)
    shown: list[PromptDocument] = []
    left, taken = task.settings.questions.text_chars, list[str]()
    for section in document.sections:
        named = f'"{section.id}"' in seen  # an id in the arguments, or in an item found
        if not named or any(section.id.startswith(f"{one}.") for one in taken):
            continue
        xml = full_xml(document, section)
        if len(xml) > left:
            continue
        left -= len(xml)
        taken.append(section.id)
        shown.append(PromptDocument(f"section {section.id}", xml))
    return PromptDocuments(documents=tuple(shown))
