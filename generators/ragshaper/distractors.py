"""Distractors: the prompts that write them, and the rows in which filters judge them."""

from collections.abc import Sequence

from synthmill.generators.ragshaper.prompts import (
    MAX_DOCUMENTS,
    SynthesizedQuestion,
    WriteDistractors,
    WrittenDistractors,
)
from synthmill.generators.ragshaper.records import (
    TAXONOMY,
    Distractor,
    DistractorDetail,
    DistractorType,
    TruePassage,
)
from synthmill.generators.ragshaper.task import RagTask
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate
from synthmill.sources.documents.passage import Passage
from synthmill.sources.documents.prompt_documents import PromptDocument, PromptDocuments


async def write_distractors(
    task: RagTask,
    fact: str,
    types: Sequence[DistractorType],
    source: Passage,
    nearby: Sequence[Passage],
    node: int,
) -> list[Distractor]:
    """Distractors of each type about a fact, a quote of `source`; `nearby` led to it."""
    written: list[Distractor] = []
    for kind in dict.fromkeys(types):
        prompt = WriteDistractors(
            fact=fact,
            kind=kind,
            guideline=TAXONOMY[kind].guideline,
            source=_documents([source]),
            context=_documents([p for p in nearby if p.id != source.id]),
        )
        answer = await task.curate(prompt, f"distract/{node}/{kind}")
        if answer is not None:
            support = [source, *nearby] if kind == "false_shortcut" else [source]
            written += _distractors(answer, kind, fact, support, node)
    return written


def _distractors(
    written: WrittenDistractors,
    kind: DistractorType,
    fact: str,
    support: Sequence[Passage],
    node: int,
) -> list[Distractor]:
    return [
        Distractor(
            id=sha256_text(f"{node}\n{number}\n{document.title}\n{document.text}")[:16],
            type=kind,
            title=document.title,
            text=document.text,
            marker=document.marker,
            misleading_claim=document.misleading_claim,
            question=written.question,
            true_answer=written.true_answer,
            wrong_answer=document.wrong_answer,
            fact=fact,
            source=support[0].id,
            support=list(dict.fromkeys(passage.id for passage in support)),
            node=node,
        )
        for number, document in enumerate(written.documents[:MAX_DOCUMENTS])
    ]


def _documents(passages: Sequence[Passage]) -> PromptDocuments:
    return PromptDocuments(documents=tuple(PromptDocument(p.title, p.text) for p in passages))


async def distractor_row(
    task: RagTask,
    question: SynthesizedQuestion,
    distractor: Distractor,
    truth: Sequence[Passage],
) -> Candidate:
    """A distractor as a `corpus` row, which the filters judge.

    `truth` are the passages on which the truth rests, the distractor's source first.
    """
    detail = DistractorDetail(
        corpus=task.knowledge.corpus.version,
        question=question.question,
        answer=question.answer,
        distractor=distractor,
        truth=[TruePassage(title=p.title, text=p.text) for p in truth],
        rank=await _rank(task, question, distractor),
    )
    return Candidate(
        kind="corpus",
        messages=[user(f"[{distractor.title}]\n{distractor.text}")],
        detail=detail.model_dump_json(),
    )


async def _rank(task: RagTask, question: SynthesizedQuestion, distractor: Distractor) -> int | None:
    """Its rank for the first query that finds it: its own question, the question, each hop."""
    k = task.settings.retrieval.k
    hops = (step.fact for step in question.reasoning_steps)
    for query in (distractor.question, question.question, *hops):
        rank = await task.knowledge.rank(query, distractor.title, distractor.text, k)
        if rank is not None:
            return rank
    return None
