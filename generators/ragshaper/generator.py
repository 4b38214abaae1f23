"""RAGShaper: from a corpus to questions, robust trajectories and preference pairs."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from synthmill.generators.base import (
    Context,
    FeedbackGenerator,
    Judged,
    Resources,
    Task,
    TaskOutcome,
)
from synthmill.generators.ragshaper.distractors import distractor_row
from synthmill.generators.ragshaper.filters import DEFAULT_FILTERS
from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase, open_knowledge_base
from synthmill.generators.ragshaper.navigation import (
    LabeledRollout,
    label_trajectory,
    roll_out_question,
)
from synthmill.generators.ragshaper.questions import JudgedQuestion, synthesize_question
from synthmill.generators.ragshaper.records import (
    DISTRACTOR_TYPES,
    CheckedDistractor,
    Distractor,
    DistractorDetail,
    DistractorType,
    TrajectoryDetail,
    TreeRecord,
)
from synthmill.generators.ragshaper.rows import (
    PathProvenance,
    preference_row,
    solved_question_row,
    trajectory_row,
)
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.generators.ragshaper.tree import (
    InformationTree,
    InformationTreeBuilder,
    TreePath,
    seed_order,
    select_paths,
)
from synthmill.models.forms import Form
from synthmill.schemas.base import Record
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate, Row
from synthmill.sources.base import DocumentSource, Source
from synthmill.sources.documents.document import Document


class TypeQuotas(Record):
    """Handled trajectories by distractor type so far, so that no type dominates.

    The paper reports its mix (60 % fragmented puzzles) and sets no quota: all of this is ours.
    """

    handled: dict[DistractorType, int] = {}

    def wanted(self) -> tuple[DistractorType, ...]:
        """The types, from the one with the fewest; equals keep the order of the taxonomy."""
        return tuple(sorted(DISTRACTOR_TYPES, key=lambda name: self.handled.get(name, 0)))

    def full(self, name: DistractorType, max_share: float, since: int) -> bool:
        """Whether one more of a type would exceed its share, once there are `since` in all.

        The rarest of the types met is never full: with one or two of them shares cannot be kept.
        """
        total, own = sum(self.handled.values()), self.handled.get(name, 0)
        rarest = min((count for count in self.handled.values() if count), default=0)
        return total >= since and (own + 1) / (total + 1) > max_share and own > rarest

    def with_one(self, name: DistractorType) -> "TypeQuotas":
        """With one more of a type."""
        return TypeQuotas(handled={**self.handled, name: self.handled.get(name, 0) + 1})

    def after(self, rows: Iterable[Row]) -> "TypeQuotas":
        """With the accepted trajectories among the rows."""
        counts: Counter[DistractorType] = Counter(self.handled)
        for row in rows:
            if row.kind == "trajectory" and row.status == "accepted":
                detail = TrajectoryDetail.model_validate_json(row.detail)
                if detail.outcome == "handled" and detail.primary_type:
                    counts[detail.primary_type] += 1
        return TypeQuotas(handled=dict(counts))


class SeedItem(NamedTuple):
    """A work item: the position of the seed passage, and the quotas known when it started."""

    position: int
    quotas: TypeQuotas


class RagShaper(FeedbackGenerator[RagShaperSettings, TypeQuotas]):
    """Grows an information tree from each seed passage and makes rows of its best paths."""

    name: ClassVar[str] = "ragshaper"
    version: ClassVar[int] = 1
    item: ClassVar[type | None] = Document
    default_filters: ClassVar[tuple[FilterSpec, ...]] = DEFAULT_FILTERS
    kinds = ("rlvr", "trajectory", "preference")  # rows of kind corpus are rejected distractors
    _knowledge: KnowledgeBase
    _order: Sequence[int]

    @property
    def roles(self) -> Mapping[str, Sequence[Form]]:
        """The curator explores, the author asks, the teacher answers with tools."""
        encoder = getattr(self.settings.retrieval, "encoder", None)
        native = self.settings.navigation.protocol == "native"
        return {
            "curator": ("json",),
            "author": ("json",),
            "teacher": ("tools",) if native else ("text",),
            **({encoder.role: ("embedding",)} if encoder else {}),
        }

    async def prepare(self, source: Source, resources: Resources) -> None:
        """Open the knowledge base, and put the seeds in order."""
        assert isinstance(source, DocumentSource)
        self._knowledge = await open_knowledge_base(source, self.settings, resources)
        self._order = await asyncio.to_thread(
            seed_order, self._knowledge.corpus, self.settings.seeds
        )

    async def next_task(self, index: int, state: TypeQuotas, context: Context) -> Task | None:
        """First the documents that could not be read, then the seeds."""
        corpus = self._knowledge.corpus
        faults = corpus.facts.faults
        if index < len(faults):
            return Task(key=faults[index].key, item=faults[index])
        place = index - len(faults)
        if place >= len(self._order):
            return None
        position = self._order[place]
        return Task(key=corpus[position].id, item=SeedItem(position, state))

    def update_state(self, state: TypeQuotas, outcome: TaskOutcome) -> TypeQuotas:
        """The distractor types handled so far."""
        return state.after(outcome.rows)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The rows of one tree."""
        knowledge = self._knowledge.for_task(context)
        work, seed = RagTask(context, knowledge, self.settings), task.item
        quotas: TypeQuotas = seed.quotas
        passage = work.knowledge.corpus[seed.position]
        tree = await InformationTreeBuilder(work, passage, quotas.wanted()).build()
        settings = self.settings.tree
        paths = select_paths(tree.nodes, settings.paths, settings.max_jaccard)
        for number, path in enumerate(paths):
            provenance = _provenance(work, tree, paths, path)
            rows = _PathRows(work.scoped(f"path/{number}"), tree, path, provenance, quotas)
            async for candidate in rows.generate():
                yield candidate
            quotas = rows.quotas

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The tree with its distractors, or the trajectory, as text."""
        from synthmill.generators.ragshaper.describe import describe

        return describe(row)


def _provenance(
    task: RagTask, tree: InformationTree, paths: Sequence[TreePath], path: TreePath
) -> PathProvenance:
    return PathProvenance(
        corpus=task.knowledge.corpus.version,
        calibration=task.knowledge.calibration,
        tree=TreeRecord(
            seed=tree.seed.id,
            nodes=tree.nodes,
            paths=[one.ids for one in paths],
            gains=[one.gain for one in paths],
        ),
        path=path.ids,
        keep_f1=task.settings.navigation.keep_f1,
    )


class _PathRows:
    """The rows of one path; `quotas` counts the trajectories accepted on the way."""

    def __init__(
        self,
        task: RagTask,
        tree: InformationTree,
        path: TreePath,
        provenance: PathProvenance,
        quotas: TypeQuotas,
    ) -> None:
        self._task = task
        self._tree = tree
        self._path = path
        self._provenance = provenance
        self.quotas = quotas

    async def generate(self) -> AsyncGenerator[Candidate, None]:
        """Rejected distractors, the question, its trajectories, its pairs.

        Nothing is spent on a question that the filters reject.
        """
        provenance, tree, path = self._provenance, self._tree, self._path
        question = await synthesize_question(self._task, tree, path, provenance)
        if not question.judged.accepted:
            yield question.judged.candidate
            return
        distractors = await asyncio.gather(
            *(self._judge(question, one) for one in tree.distractors_of(path.nodes))
        )
        for rejected in (one for one in distractors if not one.accepted):
            yield rejected.candidate
        pool = [_checked(one) for one in distractors if one.accepted]
        rollouts = await self._rollouts(question, [one.distractor for one in pool])
        row = solved_question_row(question.judged, pool, rollouts, provenance.keep_f1)
        yield row
        for one in rollouts:
            yield trajectory_row(provenance, row, one, self._over_quota(one))
        for robust, misled in self._pairs(rollouts):
            yield preference_row(provenance, row, robust, misled)

    async def _judge(self, question: JudgedQuestion, distractor: Distractor) -> Judged:
        truth = [self._tree.passages[name] for name in distractor.support]
        row = await distractor_row(self._task, question.asked, distractor, truth)
        return await self._task.context.verify(row)

    async def _rollouts(
        self, question: JudgedQuestion, pool: Sequence[Distractor]
    ) -> list[LabeledRollout]:
        asked, keep_f1 = question.asked, self._provenance.keep_f1
        rollouts = await roll_out_question(self._task, asked.question, pool)
        by_id = {distractor.id: distractor for distractor in pool}
        return [
            LabeledRollout(sample, rollout, label_trajectory(rollout, asked.answer, keep_f1, by_id))
            for sample, rollout in enumerate(rollouts)
        ]

    def _over_quota(self, rollout: LabeledRollout) -> bool:
        """Whether a trajectory's type has had its share; counts it where it has not."""
        navigation, name = self._task.settings.navigation, rollout.label.primary
        if rollout.label.outcome != "handled" or name is None:
            return False
        if self.quotas.full(name, navigation.max_share, navigation.quota_from):
            return True
        self.quotas = self.quotas.with_one(name)
        return False

    def _pairs(
        self, rollouts: Sequence[LabeledRollout]
    ) -> list[tuple[LabeledRollout, LabeledRollout]]:
        """Handled against misled; the rollouts that met most distractors first."""
        robust = [one for one in rollouts if one.label.outcome == "handled"]
        robust.sort(key=lambda one: -len(one.label.encounters))
        misled = [one for one in rollouts if one.label.outcome == "misled"]
        pairs = list(zip(robust, misled, strict=False))
        return pairs[: self._task.settings.navigation.preferences]


def _checked(judged: Judged) -> CheckedDistractor:
    detail = DistractorDetail.model_validate_json(judged.candidate.detail)
    verdicts = [verdict for verdict in judged.verdicts if verdict.status != "skipped"]
    return CheckedDistractor(distractor=detail.distractor, rank=detail.rank, verdicts=verdicts)
