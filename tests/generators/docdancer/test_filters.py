"""Planted bad questions: each is caught by the filter that is meant for it; good ones pass."""

import asyncio
from collections.abc import Callable
from math import ceil
from typing import Any

import pytest

from synthmill.filters.load import load_filters
from synthmill.generators.docdancer.absence import search_absence
from synthmill.generators.docdancer.filters import DEFAULT_FILTERS, TemplateShare
from synthmill.generators.docdancer.places import locate, sheets_of
from synthmill.generators.docdancer.prompts import EvidenceItem, WrittenQuestion
from synthmill.generators.docdancer.records import DocumentQuestionDetail, DocumentReference
from synthmill.pipelines.judging import verify
from synthmill.pipelines.plan import Stage
from synthmill.rewards.mmlongbench import UNANSWERABLE
from synthmill.schemas.evidence import Evidence
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.document import Document
from tests.generators.docdancer.made_trees import report
from tests.generators.ragshaper.offline_context import OfflineContext

STAGES = [Stage(found, spec) for spec, found in load_filters([], defaults=DEFAULT_FILTERS)]
NO_WORKERS: Any = None

LENGTH = EvidenceItem(modality="table", quote="80", table=1, row="Osk", column="Length (km)")
OTHERS = [
    EvidenceItem(modality="table", quote=v, table=1, row=r, column="Length (km)")
    for r, v in (("Velm", "64"), ("Tarn", "23"))
]
GAUGES = EvidenceItem(modality="table", quote="12", table=2, row="Osk", column="Gauges")
GOOD = WrittenQuestion(
    question="What is the number of gauges of the river with the highest length in km?",
    answer="12",
    answer_format="Int",
    reasoning_steps=["The longest river is Osk.", "Osk has 12 gauges."],
    evidence=[LENGTH, *OTHERS, GAUGES],
)
ABSENT = WrittenQuestion(
    question="What is the number of gauges of the river with the lowest length in km?",
    answer=UNANSWERABLE,
    answer_format="None",
    reasoning_steps=["The shortest river is Tarn.", "Its gauges are not given."],
    evidence=[LENGTH, *OTHERS, GAUGES],
    absent_subject="Tarn",
    absent_attribute="Gauges",
)


MIX = ("comprehension", "comprehension", "layout", "footnote", "unanswerable")


def changed(**update: Any) -> WrittenQuestion:
    return GOOD.model_copy(update=update)


def ask(**question: str) -> WrittenQuestion:
    return GOOD.model_copy(update=question)


PLANTED: list[tuple[str, str, WrittenQuestion]] = [
    ("one_question", "no question or answer", ask(question=" ")),
    (
        "one_question",
        "several questions in one",
        ask(question="Which river is the longest, and how many gauges does it have?"),
    ),
    (
        "one_question",
        "several questions in one",
        ask(question="Which river is the longest? How many gauges does it have?"),
    ),
    ("one_question", "not a question", ask(question="Name the gauges of the longest river.")),
    ("locator_words", "locator words", ask(question="By Table 2, how many gauges has Osk?")),
    ("locator_words", "locator words", ask(question="How many gauges are listed on page 3?")),
    ("locator_words", "locator words", ask(question="In section 2.1, how many gauges has Osk?")),
    (
        "locator_words",
        "speaks of the exploration",
        ask(question="How many gauges has the river that the exploration found?"),
    ),
    (
        "answer_in_question",
        "answer in the question",
        ask(question="Are there 12 or 15 gauges at the longest river?"),
    ),
    (
        "copied_numbers",
        "long number copied",
        ask(question="How many gauges has the river with the code 4711-0815?"),
    ),
    ("yes_or_no", "yes or no", ask(question="Does the longest river have gauges?", answer="Yes")),
    (
        "document_counts",
        "count over the whole document",
        ask(question="How many tables does the report on rivers have?"),
    ),
    (
        "evidence_placed",
        "evidence is not in the document",
        changed(evidence=[LENGTH, GAUGES.model_copy(update={"quote": "13"})]),
    ),
    (
        "evidence_placed",
        "evidence is not in the document",
        changed(evidence=[GAUGES, EvidenceItem(modality="text", quote="The Osk is 81 km.")]),
    ),
    ("evidence_placed", "no evidence", changed(evidence=[])),
    (
        "evidence_placed",
        "answer is not in its evidence",
        changed(answer="Quorn", answer_format="Str"),
    ),
    ("evidence_span", "answerable from one page", changed(evidence=[GAUGES])),
    ("evidence_span", "too few steps", changed(reasoning_steps=["It is there."])),
    ("evidence_supports", "not supported", changed(answer="14")),
    (
        "absence_searched",
        "the document may give it",
        ABSENT.model_copy(update={"absent_subject": "Osk"}),
    ),
    (
        "absence_searched",
        "not about this document",
        ABSENT.model_copy(update={"absent_attribute": "Unicorns"}),
    ),
    ("absence_searched", "unanswerable with an answer", ABSENT.model_copy(update={"answer": "3"})),
    ("absence_searched", "nothing to search for", ABSENT.model_copy(update={"absent_subject": ""})),
    (
        "absence_searched",
        "unanswerable without a search",
        changed(answer=UNANSWERABLE, answer_format="List"),
    ),
]


def candidate(
    document: Document, written: WrittenQuestion, template: Any = "comprehension"
) -> Candidate:
    places = [place for item in written.evidence if (place := locate(document, item))]
    missing = [item.quote for item in written.evidence if locate(document, item) is None]
    absence = None
    if written.answer_format == "None":
        absence = search_absence(document, written.absent_subject, written.absent_attribute)
    detail = DocumentQuestionDetail(
        document=DocumentReference(uri="u", title="T", sha256="0", pages=4),
        question=written.question,
        template=template,
        answer_format=written.answer_format,
        reasoning=tuple(written.reasoning_steps),
        places=tuple(places),
        sheets=tuple(sheets_of(document, places)),
        unplaced=tuple(missing),
        evidence=None if absence else Evidence(question=written.question, answer=written.answer),
        absence=absence,
    )
    return Candidate(
        kind="rlvr",
        messages=[user(written.question)],
        answer=written.answer,
        detail=detail.model_dump_json(),
    )


def judged(written: WrittenQuestion, context: OfflineContext | None = None) -> list[Verdict]:
    row = candidate(report(), written)
    found = asyncio.run(verify(row, STAGES, context or OfflineContext(), NO_WORKERS))
    return [v for v in found.verdicts if v.status in ("fail", "error")]


def test_good_questions_pass() -> None:
    assert judged(GOOD) == []
    assert judged(ABSENT) == []


@pytest.mark.parametrize(("name", "reason", "written"), PLANTED)
def test_planted_questions_are_caught(name: str, reason: str, written: WrittenQuestion) -> None:
    (verdict,) = judged(written)
    assert (verdict.filter, verdict.reason) == (name, reason)


def test_clues_of_the_content_are_no_locators() -> None:
    for question in (
        "What is the number of gauges of the river listed first in the table on lengths?",
        'Which river is described as "the first one on the table of the council"?',
        "In note of the flood, how many gauges were lost?",
    ):
        assert not [v for v in judged(ask(question=question)) if v.filter == "locator_words"]


def test_what_is_known_by_heart_is_caught() -> None:
    knows: dict[str, Callable[[Any], str]] = {"answer_from_memory": lambda _: '{"answer": "12"}'}
    (verdict,) = judged(GOOD, OfflineContext(answers=knows))
    assert (verdict.filter, verdict.reason) == ("closed_book", "known without evidence")


def test_what_one_page_answers_is_caught() -> None:
    asks: dict[str, Callable[[Any], str]] = {"answer_from_pages": lambda _: '{"answer": "12.0"}'}
    (verdict,) = judged(GOOD, OfflineContext(answers=asks))
    assert (verdict.filter, verdict.reason) == ("single_page", "answerable from one page")
    (verdict,) = judged(ABSENT, OfflineContext(answers=asks))
    assert (verdict.filter, verdict.reason) == ("single_page", "a page gives an answer")


def test_no_template_exceeds_its_share() -> None:
    share, document = TemplateShare(), report()
    accepted = 0
    for number in range(60):
        template = MIX[number % 5]
        for one in (template, "counting"):
            row = candidate(document, GOOD, one)
            if share.judge(row).status == "pass":
                share.add(str(number), row)
                accepted += 1
    counts = {
        name: sum(of == name for of in share.to_arrow(0, len(share))["template"].to_pylist())
        for name in ("comprehension", "layout", "footnote", "unanswerable", "counting")
    }
    assert accepted == len(share) > 12
    assert max(counts.values()) <= ceil(accepted / 4)
    assert counts["unanswerable"] <= ceil(0.15 * accepted)
    again = TemplateShare()
    again.from_arrow(share.to_arrow(0, len(share)))
    row = candidate(document, GOOD)
    assert again.judge(row) == share.judge(row)
