"""RAGShaper: from a corpus to questions, robust trajectories and preference pairs."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import ClassVar, NamedTuple

from synthmill.generators.base import Context, FeedbackGenerator, Resources, Task, TaskOutcome
from synthmill.generators.ragshaper.curation import Curator, Tree
from synthmill.generators.ragshaper.distractor_checks import DistractorChecker
from synthmill.generators.ragshaper.labels import label
from synthmill.generators.ragshaper.library import Library, open_library
from synthmill.generators.ragshaper.navigation import journeys
from synthmill.generators.ragshaper.questions import Question, distractors_of, question_of
from synthmill.generators.ragshaper.quotas import Quotas
from synthmill.generators.ragshaper.records import CheckedDistractor, TreeRecord
from synthmill.generators.ragshaper.rows import (
    Origins,
    Told,
    distractor_row,
    preference_row,
    question_row,
    trajectory_row,
)
from synthmill.generators.ragshaper.seeds import seed_order
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.tree import Path, select_paths
from synthmill.schemas.row import Candidate, Row
from synthmill.sources.base import DocumentSource, Source
from synthmill.sources.documents.document import Document


class Seed(NamedTuple):
    """A work item: the passage to grow a tree from, and the quotas as far as they are known."""

    position: int
    quotas: Quotas


class RagShaper(FeedbackGenerator[RagShaperSettings, Quotas]):
    """Grows an information tree from each seed passage and makes rows of its best paths."""

    name: ClassVar[str] = "ragshaper"
    version: ClassVar[int] = 1
    item: ClassVar[type] = Document
    _library: Library
    _order: Sequence[int]

    async def prepare(self, source: Source, resources: Resources) -> None:
        """Open the library, and put the seeds into their order."""
        assert isinstance(source, DocumentSource)
        self._library = await open_library(source, self.settings, resources)
        self._order = await asyncio.to_thread(seed_order, self._library.corpus, self.settings.seeds)

    async def next_task(self, index: int, state: Quotas, context: Context) -> Task | None:
        """What of the corpus could not be read; then one seed after the other."""
        corpus = self._library.corpus
        faults = corpus.facts.faults
        if index < len(faults):
            return Task(key=faults[index].key, item=faults[index])
        place = index - len(faults)
        if place >= len(self._order):
            return None
        position = self._order[place]
        return Task(key=corpus[position].id, item=Seed(position, state))

    def update_state(self, state: Quotas, outcome: TaskOutcome) -> Quotas:
        """The types of distractors handled so far."""
        return state.after(outcome.rows)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The rows of one tree."""
        library, seed = self._library, task.item
        quotas: Quotas = seed.quotas
        curator = Curator(context, library, self.settings)
        tree = await curator.grow(library.corpus[seed.position], quotas.favoured())
        settings = self.settings.tree
        paths = select_paths(tree.nodes, settings.paths, settings.max_jaccard)
        record = TreeRecord(
            seed=tree.seed.id,
            nodes=tree.nodes,
            paths=[path.ids for path in paths],
            gains=[path.gain for path in paths],
        )
        for number, path in enumerate(paths):
            origins = Origins(
                corpus=library.corpus.version,
                calibration=library.calibration,
                tree=record,
                path=path.ids,
                keep_f1=self.settings.navigation.keep_f1,
            )
            work = _PathWork(context, library, self.settings, tree, path, f"path/{number}", origins)
            async for candidate in work.rows(quotas):
                yield candidate
            quotas = work.quotas

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The tree with its distractors, or the trajectory, as text."""
        from synthmill.generators.ragshaper.describing import described

        return described(row)


class _PathWork:
    """From one path to its rows."""

    def __init__(
        self,
        context: Context,
        library: Library,
        settings: RagShaperSettings,
        tree: Tree,
        path: Path,
        purpose: str,
        origins: Origins,
    ) -> None:
        self._context = context
        self._library = library
        self._settings = settings
        self._tree = tree
        self._path = path
        self._purpose = purpose
        self._origins = origins
        self.quotas = Quotas()

    async def rows(self, quotas: Quotas) -> AsyncGenerator[Candidate, None]:
        """Refused distractors, the question, its trajectories, its pairs."""
        self.quotas = quotas
        question = await question_of(
            self._context, self._library, self._settings, self._tree, self._path, self._purpose
        )
        if not question.stands:
            yield question_row(self._origins, question)
            return
        checked = await self._checked(question)
        for refused in (c for c in checked if not _passed(c)):
            yield distractor_row(self._origins.corpus, question.asked.question, refused)
        pool = [c for c in checked if _passed(c)]
        told = await self._told(question, pool)
        asked = question_row(self._origins, question, pool, told)
        yield asked
        for one in told:
            yield trajectory_row(self._origins, question, asked, one, self._over_quota(one))
        for robust, misled in self._pairs(told):
            yield preference_row(self._origins, question, asked, robust, misled)

    async def _checked(self, question: Question) -> list[CheckedDistractor]:
        checker = DistractorChecker(
            self._context,
            self._library,
            self._settings,
            question.asked.question,
            question.asked.answer,
            question.hops,
            self._purpose,
        )
        return [
            CheckedDistractor(
                distractor=distractor,
                level=distractor.level,
                checks=await checker.check(
                    distractor, [self._tree.passages[name] for name in distractor.support]
                ),
            )
            for distractor in distractors_of(self._tree, self._path)
        ]

    async def _told(self, question: Question, pool: list[CheckedDistractor]) -> list[Told]:
        distractors = [checked.distractor for checked in pool]
        walked = await journeys(
            self._context,
            self._library,
            self._settings,
            question.asked.question,
            distractors,
            self._purpose,
        )
        by_id = {distractor.id: distractor for distractor in distractors}
        keep = self._settings.navigation.keep_f1
        return [
            Told(sample, journey, label(journey, question.asked.answer, keep, by_id))
            for sample, journey in enumerate(walked)
        ]

    def _over_quota(self, told: Told) -> bool:
        """Whether a trajectory's type has had its share; counts it where it has not."""
        navigation, kind = self._settings.navigation, told.label.primary
        if told.label.outcome != "handled" or kind is None:
            return False
        if self.quotas.full(kind, navigation.max_share, navigation.quota_from):
            return True
        self.quotas = self.quotas.with_one(kind)
        return False

    def _pairs(self, told: Sequence[Told]) -> list[tuple[Told, Told]]:
        """Robust against misled; first the robust ones that met most."""
        robust = [one for one in told if one.label.outcome == "handled"]
        robust.sort(key=lambda one: -len(one.label.encounters))
        misled = [one for one in told if one.label.outcome == "misled"]
        pairs = list(zip(robust, misled, strict=False))
        return pairs[: self._settings.navigation.preferences]


def _passed(checked: CheckedDistractor) -> bool:
    return all(check.passed for check in checked.checks)
