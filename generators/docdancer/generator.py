"""DocDancer: from documents to questions, trajectories and preference pairs."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import ClassVar

from synthmill.generators.base import Context, Generator, Task
from synthmill.generators.docdancer.crops import evidence_sheet
from synthmill.generators.docdancer.exploration import explore
from synthmill.generators.docdancer.filters import DEFAULT_FILTERS
from synthmill.generators.docdancer.questions import QuestionAuthor
from synthmill.generators.docdancer.records import Template
from synthmill.generators.docdancer.rollouts import roll_out_question
from synthmill.generators.docdancer.rows import (
    preference_row,
    solved_question_row,
    trajectory_row,
)
from synthmill.generators.docdancer.settings import DocDancerSettings
from synthmill.generators.docdancer.task import DocumentTask
from synthmill.models.forms import Form
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate, Kind, Row
from synthmill.sources.documents.document import Document


class DocDancer(Generator[DocDancerSettings]):
    """Explores each document with tools, asks about what was found, and samples trajectories."""

    name: ClassVar[str] = "docdancer"
    version: ClassVar[int] = 1
    item: ClassVar[type | None] = Document
    default_filters: ClassVar[tuple[FilterSpec, ...]] = DEFAULT_FILTERS
    kinds = ("rlvr", "trajectory", "preference")

    @property
    def roles(self) -> Mapping[str, tuple[Form, ...]]:
        """Who explores, who reads sections for the tools, who asks, who answers."""
        native = self.settings.rollouts.protocol == "native"
        return {
            "explorer": ("json",),
            "reader": ("json",),
            "author": ("json",),
            "teacher": ("tools",) if native else ("text",),
        }

    @property
    def rows_per_task(self) -> Mapping[Kind, int]:
        """Each question has a row, its trajectories and its pairs."""
        questions, rollouts = self.settings.questions.per_document, self.settings.rollouts
        return {
            "rlvr": questions,
            "trajectory": questions * rollouts.samples,
            "preference": questions * min(rollouts.preferences, rollouts.samples // 2),
        }

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The rows of one document. Nothing is spent on a question that the filters reject."""
        work = DocumentTask(context, task.item, self.settings)
        author = QuestionAuthor(work, await explore(work))
        for number, template in enumerate(self._templates(context)):
            question = await author.write(template)
            if not question.judged.accepted:
                yield question.judged.candidate
                continue
            row, detail = question.judged.candidate, question.detail
            rollouts = await roll_out_question(
                work.scoped(f"question/{number}"), row.answer or "", detail
            )
            solved = solved_question_row(question.judged, rollouts)
            yield solved
            for one in rollouts:
                yield trajectory_row(solved, one)
            grounded = [one for one in rollouts if one.detail.grounded]
            others = [one for one in rollouts if not one.detail.grounded]
            pairs = list(zip(grounded, others, strict=False))
            for chosen, rejected in pairs[: self.settings.rollouts.preferences]:
                yield preference_row(solved, chosen, rejected)

    def _templates(self, context: Context) -> list[Template]:
        """A template for each question of a document: all in a drawn order, then again."""
        questions = self.settings.questions
        order = list(dict.fromkeys(questions.templates))
        context.rng("templates").shuffle(order)
        rounds = -(-questions.per_document // len(order))
        return (order * rounds)[: questions.per_document]

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The question with its evidence and exploration, or the trajectory, as text."""
        from synthmill.generators.docdancer.describe import describe

        return describe(row, verbose)

    def picture(self, row: Row, media: Path) -> bytes | None:
        """The crops of the evidence, where its document is still there, unchanged."""
        return evidence_sheet(row)
