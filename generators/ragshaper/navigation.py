"""Rollouts of the teacher: it has the question, one retrieval tool, and no idea of distractors."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from synthmill.generators.agent.rollout import Rollout, roll_out
from synthmill.generators.agent.tools import Toolbox, tool_schemas
from synthmill.generators.base import Context
from synthmill.generators.ragshaper.injection import ConstrainedRetriever
from synthmill.generators.ragshaper.library import Library
from synthmill.generators.ragshaper.prompts.navigate import NavigatorTurn, Opening, final_answer
from synthmill.generators.ragshaper.records import Distractor, Injection
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.tools import SEARCH, SearchTool
from synthmill.schemas.messages import Message

TOOLS = tool_schemas([SearchTool])


class Journey(NamedTuple):
    """A rollout with what its retriever did, and the answer it came to ("" for none)."""

    rollout: Rollout
    injections: list[Injection]
    prediction: str


async def journeys(
    context: Context,
    library: Library,
    settings: RagShaperSettings,
    question: str,
    pool: Sequence[Distractor],
    purpose: str,
) -> list[Journey]:
    """The rollouts of a question, side by side; each has its own random generator."""
    samples = range(settings.navigation.samples)
    return await asyncio.gather(
        *(
            _journey(context, library, settings, question, pool, f"{purpose}/rollout/{sample}")
            for sample in samples
        )
    )


async def _journey(
    context: Context,
    library: Library,
    settings: RagShaperSettings,
    question: str,
    pool: Sequence[Distractor],
    purpose: str,
) -> Journey:
    navigation = settings.navigation
    rng = context.rng(f"{purpose}/inject")
    retriever = ConstrainedRetriever(library, pool, settings.retrieval.k, navigation, rng)

    def turn(conversation: tuple[Message, ...]) -> NavigatorTurn:
        return NavigatorTurn(
            conversation=conversation,
            question=question,
            protocol=navigation.protocol,
            final_start=settings.final_start,
            final_end=settings.final_end,
        )

    rollout = await roll_out(
        context,
        [opening(settings, question)],
        turn,
        Toolbox([SearchTool(retriever.search)]),
        purpose=purpose,
        role="teacher",
        limits=navigation.limits,
        sampling=navigation.sampling,
    )
    said = rollout.final.content if rollout.final else ""
    prediction = final_answer(said, settings.final_start, settings.final_end) or ""
    return Journey(rollout, retriever.log, prediction)


def opening(settings: RagShaperSettings, question: str) -> Message:
    """The first message: rules and question; tools spelled out where the protocol is text."""
    return Opening(
        question=question,
        tool=SEARCH,
        final_start=settings.final_start,
        final_end=settings.final_end,
        tools=TOOLS if settings.navigation.protocol == "text" else "",
    ).message()
