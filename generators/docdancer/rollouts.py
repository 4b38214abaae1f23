"""Rejection sampling: rollouts of the teacher, scored by rule, and whether they are grounded."""

import asyncio
import json
from collections.abc import Iterator
from typing import NamedTuple

from synthmill.generators.agent.rollout import Rollout, roll_out
from synthmill.generators.docdancer.prompts import AgentOpening, DocumentAgentTurn, answer_in
from synthmill.generators.docdancer.records import DocumentQuestionDetail, RolloutDetail
from synthmill.generators.docdancer.task import DocumentTask
from synthmill.generators.docdancer.tools import TOOLS, toolbox
from synthmill.rewards.mmlongbench import mmlongbench_score
from synthmill.schemas.messages import Message
from synthmill.sources.documents.prompt_documents import neutralize_markup


class ScoredRollout(NamedTuple):
    """A rollout with its record."""

    rollout: Rollout
    detail: RolloutDetail


async def roll_out_question(
    task: DocumentTask, answer: str, detail: DocumentQuestionDetail
) -> list[ScoredRollout]:
    """The rollouts of a question, concurrently."""
    samples = range(task.settings.rollouts.samples)
    return await asyncio.gather(*(_rollout(task, sample, answer, detail) for sample in samples))


def opening(task: DocumentTask, question: str) -> Message:
    """The first message: rules, outline, question; the tools where the protocol is text."""
    return AgentOpening(
        question=neutralize_markup(question),
        outline=task.outline,
        tools=TOOLS if task.settings.rollouts.protocol == "text" else "",
    ).message()


async def _rollout(
    task: DocumentTask, sample: int, answer: str, detail: DocumentQuestionDetail
) -> ScoredRollout:
    settings, question = task.settings.rollouts, detail.question
    scoped = task.scoped(f"rollout/{sample}")

    def turn(conversation: tuple[Message, ...]) -> DocumentAgentTurn:
        return DocumentAgentTurn(
            conversation=conversation, question=question, protocol=settings.protocol
        )

    rollout = await roll_out(
        scoped.context,
        [opening(task, question)],
        turn,
        toolbox(scoped),
        purpose="turn",
        role="teacher",
        limits=settings.limits,
        sampling=settings.sampling,
    )
    prediction = answer_in(rollout.final.content) if rollout.final else ""
    score = mmlongbench_score(prediction, answer, detail.answer_format) if prediction else 0.0
    read = list(dict.fromkeys(_read(rollout)))
    right = score >= settings.keep_score
    return ScoredRollout(
        rollout,
        RolloutDetail(
            document=detail.document,
            template=detail.template,
            question=question,
            answer_format=detail.answer_format,
            sample=sample,
            stop=rollout.stop,
            prediction=prediction,
            score=score,
            right=right,
            grounded=right and bool(read) and set(detail.pages) <= set(read),
            read_pages=tuple(read),
        ),
    )


def _read(rollout: Rollout) -> Iterator[int | str]:
    """The pages that observations showed (section ids, without pages)."""
    for step in rollout.steps:
        for observation in step.observations:
            if not observation.failed:
                yield from json.loads(observation.detail).get("places", ())
