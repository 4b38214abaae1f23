"""Questions from tree paths: written by the author, located in the corpus, judged by filters."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from synthmill.generators.base import Judged
from synthmill.generators.ragshaper.prompts import (
    MisleadingDocument,
    ReasoningStep,
    SynthesizedQuestion,
    SynthesizeQuestion,
)
from synthmill.generators.ragshaper.records import Distractor, HopRecord
from synthmill.generators.ragshaper.rows import PathProvenance, question_row
from synthmill.generators.ragshaper.settings import QuestionSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.generators.ragshaper.tree import InformationTree, TreePath, quote_in
from synthmill.models.request import Sampling
from synthmill.schemas.evidence import Evidence, EvidencePassage, EvidenceQuote
from synthmill.schemas.verdict import Verdict
from synthmill.sources.documents.passage import Passage
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)

EMPTY = SynthesizedQuestion(question="", answer="", reasoning_steps=[])
_NUMBERS = re.compile(r"\d+")


class JudgedQuestion(NamedTuple):
    """A question as the author wrote it, with its judged row."""

    asked: SynthesizedQuestion
    judged: Judged


async def synthesize_question(
    task: RagTask, tree: InformationTree, path: TreePath, provenance: PathProvenance
) -> JudgedQuestion:
    """The question of a path: the first attempt that the filters accept, else the last one.

    A new attempt gets the reason why the last one was rejected, and a higher temperature.
    """
    settings, passages = task.settings.questions, tree.passages_of(path.nodes)
    prompt = SynthesizeQuestion(
        steps=tree.explored(path.nodes, settings.observation_chars),
        misleading=tuple(_misleading(d) for d in tree.distractors_of(path.nodes)),
        min_hops=settings.min_hops,
        max_sentences=settings.max_sentences,
    )
    attempt = 0
    while True:
        sampling = _sampling(settings, attempt)
        reply = await task.context.generate(
            prompt, purpose=f"ask/{attempt}", role="author", sampling=sampling
        )
        asked = reply.value or EMPTY
        hops = locate_hops(asked.reasoning_steps, passages)
        evidence = await gather_evidence(task, asked, hops, passages)
        row = question_row(provenance, hops, asked.negative_aspect, evidence)
        if reply.value is None:
            malformed = Verdict(
                filter="ragshaper.author",
                status="fail",
                reason="malformed question",
                detail=reply.malformed,
            )
            row = row.model_copy(update={"verdicts": [malformed]})
        judged = await task.context.verify(row)
        attempt += 1
        if judged.accepted or attempt == settings.attempts:
            return JudgedQuestion(asked, judged)
        last = judged.verdicts[-1]
        failure = f"{last.reason}: {last.detail}" if last.detail else str(last.reason)
        prompt = prompt.model_copy(update={"failure": neutralize_markup(failure)})


def _misleading(distractor: Distractor) -> MisleadingDocument:
    return MisleadingDocument(
        kind=distractor.type,
        document=PromptDocuments(documents=(PromptDocument(distractor.title, distractor.text),)),
        fact=neutralize_markup(distractor.fact),
        claim=neutralize_markup(distractor.misleading_claim),
        marker=neutralize_markup(distractor.marker),
    )


def _sampling(settings: QuestionSettings, attempt: int) -> Sampling:
    temperature = settings.temperature + settings.temperature_step * attempt
    return Sampling(temperature=min(2.0, temperature), top_p=1.0, max_tokens=4096)


def locate_hops(steps: Sequence[ReasoningStep], passages: Sequence[Passage]) -> list[HopRecord]:
    """The reasoning steps, each with the passage and offsets of its evidence where it is found."""
    return [_located(number, step, passages) for number, step in enumerate(steps, 1)]


def _located(number: int, step: ReasoningStep, passages: Sequence[Passage]) -> HopRecord:
    for passage in passages:
        span = quote_in(step.evidence, passage.text)
        if span is not None:
            return HopRecord(
                hop=number,
                fact=step.fact,
                evidence=passage.text[slice(*span)],
                output=step.output,
                passage=passage.id,
                source=passage.origin_of(*span),
            )
    return HopRecord(hop=number, fact=step.fact, evidence=step.evidence, output=step.output)


async def gather_evidence(
    task: RagTask,
    asked: SynthesizedQuestion,
    hops: Sequence[HopRecord],
    passages: Sequence[Passage],
) -> Evidence:
    """The quotes with their passages, and the passages that are found around them."""
    by_id = {passage.id: passage for passage in passages}
    holding = {hop.passage: by_id[hop.passage] for hop in hops if hop.passage}
    around: dict[str, Passage] = {}
    # Without a place for every quote the question is rejected before anything else is read.
    for query in _queries(asked, hops) if all(hop.passage for hop in hops) else ():
        hits = await task.knowledge.search(query, task.settings.retrieval.k)
        around |= {hit.passage.id: hit.passage for hit in hits if hit.passage.id not in holding}
    further = list(around.values())[: task.settings.questions.further_passages]
    return Evidence(
        question=asked.question,
        answer=asked.answer,
        quotes=tuple(
            EvidenceQuote(text=hop.evidence, source=hop.source, output=hop.output) for hop in hops
        ),
        passages=tuple(map(_evidence_passage, holding.values())),
        further_passages=tuple(map(_evidence_passage, further)),
    )


def _evidence_passage(passage: Passage) -> EvidencePassage:
    return EvidencePassage(
        uri=passage.uri, title=passage.title, start=passage.start, text=passage.text
    )


def _queries(asked: SynthesizedQuestion, hops: Sequence[HopRecord]) -> Iterator[str]:
    """Queries that would find other answers: each hop, and each for any year or edition."""
    for hop in reversed(hops):
        subject = hop.evidence.replace(hop.output, " ")
        yield _NUMBERS.sub(" ", subject)
        yield hop.fact
    yield asked.question
