"""Constrained navigation: rollouts of the teacher on a retriever that slips distractors in.

What a retrieval returns (paper, eq. 8); at step t, the first case that holds:
1. t = 1                              R(K, k - n) with R(K~, n)
2. step t - 1 returned distractors    R(K, k)
3. with probability p_e               R(K, k - n) with R(K~, n)
4. otherwise                          R(K, k)

n = 2 and p_e = 0.5 in the paper; R keeps the threshold tau, so fewer than n may come. A step is one
retrieval. K~ is the pool of one question's own distractors: a pool shared by all tasks would make
rows depend on the order in which tasks end, and tau keeps unrelated documents out anyway. The
places of the distractors among the documents are drawn and recorded. The teacher has the question
and one retrieval tool, and no hint of distractors.

Labels of a trajectory follow words: a distractor is cited where a later turn names its planted
answer or its title, followed where a later query or the answer contains the planted answer.
Rejected and recovered are said of correct trajectories only.
"""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar, NamedTuple

from pydantic import BaseModel, Field

from synthmill.generators.agent.rollout import Rollout, RolloutStep, roll_out
from synthmill.generators.agent.tools import Observation, Tool, Toolbox, tool_schemas
from synthmill.generators.ragshaper.prompts import SEARCH, NavigatorTurn, Opening, final_answer
from synthmill.generators.ragshaper.records import (
    Distractor,
    DistractorType,
    Encounter,
    Injection,
    InjectionCase,
    RolloutOutcome,
)
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.rewards.squad import mentions, token_f1
from synthmill.schemas.messages import Message
from synthmill.sources.documents.corpus import titled
from synthmill.sources.documents.prompt_documents import PromptDocument

SEPARATOR = "\n---\n"  # between the documents of an observation (released code)
NOTHING = "No document was found."
_TITLE = re.compile(r"\A\[([^\n]*)\]\n")


class ConstrainedRetriever:
    """The retriever of one rollout; `rng` makes every random choice."""

    def __init__(self, task: RagTask, pool: Sequence[Distractor], rng: Random) -> None:
        self._knowledge = task.knowledge
        self._k = task.settings.retrieval.k
        self._settings = task.settings.navigation
        self._pool = pool
        self._rng = rng
        self.log: list[Injection] = []

    async def search(self, query: str, top_k: int | None) -> tuple[list[PromptDocument], Injection]:
        """The documents of the next step, and its record.

        A model may ask for another number of documents, but the rule needs room for the injected
        ones and one other: k is at least n + 1 and at most the configured one.
        """
        k = min(self._k, max(top_k or self._k, self._settings.injected + 1))
        case, draw = self._case()
        injected = await self._nearest(query) if case in ("first", "drawn") else []
        room = k - self._settings.injected if case in ("first", "drawn") else k
        found = [hit.passage for hit in await self._knowledge.search(query, room)]
        total = len(found) + len(injected)
        positions = sorted(self._rng.sample(range(total), len(injected)))
        passages, distractors = iter(found), iter(injected)
        shown = [
            next(distractors) if place in positions else next(passages) for place in range(total)
        ]
        record = Injection(
            step=len(self.log) + 1,
            query=query,
            case=case,
            draw=draw,
            passages=[p.id for p in found],
            injected=[d.id for d in injected],
            positions=positions,
        )
        self.log.append(record)
        return [PromptDocument(d.title, d.text) for d in shown], record

    def _case(self) -> tuple[InjectionCase, float | None]:
        if not self.log:
            return "first", None
        if self.log[-1].injected:
            return "suppressed", None
        draw = self._rng.random()
        return ("drawn" if draw < self._settings.probability else "not drawn"), draw

    async def _nearest(self, query: str) -> list[Distractor]:
        """R(K~, n): the distractors most similar to the query, above tau; ties in pool order."""
        documents = [(d.title, d.text) for d in self._pool]
        scores = await self._knowledge.similarities(query, documents)
        ranked = sorted(zip(scores, self._pool, strict=True), key=lambda pair: -pair[0])
        above = [d for score, d in ranked if score > self._knowledge.tau]
        return above[: self._settings.injected]


class SearchArguments(BaseModel):
    """Arguments of a search."""

    query: str = Field(description="a descriptive query in natural language", max_length=2000)
    top_k: int | None = Field(default=None, ge=1, le=100, description="documents wanted at most")


class SearchTool(Tool):
    """The retrieval tool, as the teacher and the trained agent see it."""

    name: ClassVar[str] = SEARCH
    description: ClassVar[str] = (
        "Search the knowledge base for documents that bear on a query. Each query stands alone."
    )
    Arguments: ClassVar[type[BaseModel]] = SearchArguments

    def __init__(self, retriever: ConstrainedRetriever) -> None:
        self._retriever = retriever

    async def run(self, arguments: SearchArguments) -> Observation:
        """The documents found, best first; the injection record is in `detail`."""
        documents, record = await self._retriever.search(arguments.query, arguments.top_k)
        return Observation(text=join_documents(documents), detail=json.dumps(record.model_dump()))


TOOLS = tool_schemas([SearchTool])


class TeacherRollout(NamedTuple):
    """A rollout with the injections of its retriever, and its final answer ("" for none)."""

    rollout: Rollout
    injections: list[Injection]
    prediction: str


async def roll_out_question(
    task: RagTask, question: str, pool: Sequence[Distractor]
) -> list[TeacherRollout]:
    """The rollouts of a question, concurrently; each has its own random generator."""
    samples = range(task.settings.navigation.samples)
    return await asyncio.gather(*(_rollout(task, sample, question, pool) for sample in samples))


async def _rollout(
    task: RagTask, sample: int, question: str, pool: Sequence[Distractor]
) -> TeacherRollout:
    settings, navigation = task.settings, task.settings.navigation
    retriever = ConstrainedRetriever(task, pool, task.context.rng(f"rollout/{sample}/inject"))

    def turn(conversation: tuple[Message, ...]) -> NavigatorTurn:
        return NavigatorTurn(
            conversation=conversation,
            question=question,
            protocol=navigation.protocol,
            final_start=settings.final_start,
            final_end=settings.final_end,
        )

    rollout = await roll_out(
        task.context,
        [opening(settings, question)],
        turn,
        Toolbox([SearchTool(retriever)]),
        purpose=f"rollout/{sample}",
        role="teacher",
        limits=navigation.limits,
        sampling=navigation.sampling,
    )
    said = rollout.final.content if rollout.final else ""
    prediction = final_answer(said, settings.final_start, settings.final_end) or ""
    return TeacherRollout(rollout, retriever.log, prediction)


def opening(settings: RagShaperSettings, question: str) -> Message:
    """The first message: rules and question, with the tools where the protocol is text."""
    return Opening(
        question=question,
        tool=SEARCH,
        final_start=settings.final_start,
        final_end=settings.final_end,
        tools=TOOLS if settings.navigation.protocol == "text" else "",
    ).message()


def join_documents(documents: Sequence[PromptDocument]) -> str:
    """Documents as one observation: `[title]` and text of each, a line of dashes between."""
    parts = (
        titled(" ".join(d.title.split()), d.text.replace(SEPARATOR, "\n- - -\n")) for d in documents
    )
    return SEPARATOR.join(parts) or NOTHING


def split_documents(text: str) -> list[PromptDocument]:
    """The documents of an observation."""
    found = []
    for part in text.split(SEPARATOR):
        title = _TITLE.match(part)
        if title:
            found.append(PromptDocument(title.group(1), part[title.end() :]))
    return found


class TrajectoryLabel(NamedTuple):
    """A trajectory's score, its outcome, and the distractors that it met."""

    f1: float
    outcome: RolloutOutcome
    encounters: list[Encounter]

    @property
    def primary(self) -> DistractorType | None:
        """The type that the trajectory teaches most about: the one that was hardest to handle."""
        if not self.encounters:
            return None
        hardest = max(self.encounters, key=lambda e: (e.recovered, e.rejected, e.followed, -e.step))
        return hardest.type


class LabeledRollout(NamedTuple):
    """A rollout with its label, and its number among the samples of its question."""

    sample: int
    teacher: TeacherRollout
    label: TrajectoryLabel


def label_trajectory(
    teacher: TeacherRollout, answer: str, keep_f1: float, pool: Mapping[str, Distractor]
) -> TrajectoryLabel:
    """The label of a rollout; its answer is right above `keep_f1` (paper: token F1 > 0.9)."""
    f1 = token_f1(teacher.prediction, answer) if teacher.prediction else 0.0
    right = f1 > keep_f1
    encounters = [_encounter(pool[name], turn, teacher, right) for turn, name in _met(teacher)]
    return TrajectoryLabel(f1, _outcome(teacher, answer, right, encounters), encounters)


def _met(teacher: TeacherRollout) -> list[tuple[int, str]]:
    """Each distractor met, with the turn (from 0) that first brought it."""
    first: dict[str, int] = {}
    for number, step in enumerate(teacher.rollout.steps):
        for injection in _injections(step):
            for name in injection.injected:
                first.setdefault(name, number)
    return [(number, name) for name, number in first.items()]


def _injections(step: RolloutStep) -> list[Injection]:
    return [
        Injection.model_validate_json(observation.detail)
        for observation in step.observations
        if not observation.failed
    ]


def _encounter(
    distractor: Distractor, met_at: int, teacher: TeacherRollout, right: bool
) -> Encounter:
    later = teacher.rollout.steps[met_at + 1 :]
    planted, title = distractor.wrong_answer, distractor.title.strip()
    queries = [call.arguments for step in later for call in step.calls]
    followed = mentions(teacher.prediction, planted) or any(mentions(q, planted) for q in queries)
    said = [f"{step.turn.reasoning}\n{step.turn.content}" for step in later]
    cited = followed or any(mentions(text, planted) or mentions(text, title) for text in said)
    return Encounter(
        id=distractor.id,
        type=distractor.type,
        step=met_at + 1,
        cited=cited,
        followed=followed,
        rejected=right and cited and not followed,
        recovered=right and followed,
    )


def _outcome(
    teacher: TeacherRollout, answer: str, right: bool, encounters: Sequence[Encounter]
) -> RolloutOutcome:
    """The paper's four kinds of success (its statistics section); the failures are ours."""
    if not teacher.prediction:
        return "unfinished"
    if not right:
        return "misled" if any(e.followed for e in encounters) else "wrong"
    if not any(step.calls for step in teacher.rollout.steps):
        return "direct"
    if not _observed(teacher.rollout, answer):
        return "fallback"
    return "handled" if encounters else "regular"


def _observed(rollout: Rollout, answer: str) -> bool:
    """Whether any observation contained the answer."""
    return any(mentions(o.text, answer) for step in rollout.steps for o in step.observations)
