"""Rows made from a generated world without an engine, and the world's truth about them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthmill.generators.base import Task
from synthmill.generators.ragshaper.generator import RagShaper
from synthmill.generators.ragshaper.offline.chains import chain_of
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.schemas.row import Candidate
from synthmill.sources.documents.world import World
from tests.generators.ragshaper.offline_context import OfflineContext
from tests.generators.resources import resources

Truth = dict[tuple[str, str, str | None], str]


def light(**more: Any) -> RagShaperSettings:
    """Light settings."""
    return RagShaperSettings.model_validate({"preset": "light", **more})


async def prepared(source: Any, settings: RagShaperSettings, cache: Path) -> RagShaper:
    """The generator over a source."""
    generator = RagShaper(settings)
    await generator.prepare(source, resources(cache))
    return generator


async def all_tasks(generator: RagShaper) -> list[Task]:
    """All tasks, as if no outcome changed the state."""
    tasks, state = list[Task](), generator.initial_state()
    while task := await generator.next_task(len(tasks), state, OfflineContext()):
        tasks.append(task)
    return tasks


async def make(
    source: Any, settings: RagShaperSettings, cache: Path, contexts: Sequence[OfflineContext]
) -> list[Candidate]:
    """The judged candidates of the first seeds, one for each context."""
    generator, rows = await prepared(source, settings, cache), list[Candidate]()
    for context, task in zip(contexts, await all_tasks(generator), strict=False):
        async for candidate in generator.generate(task, context):
            judged = await context.verify(candidate)
            rows.append(candidate.model_copy(update={"verdicts": list(judged.verdicts)}))
    return rows


def accepted(rows: list[Candidate], kind: str) -> list[Candidate]:
    """The candidates of a kind that the generator's filters accept."""
    passing = ("pass", "skipped")
    return [r for r in rows if r.kind == kind and all(v.status in passing for v in r.verdicts)]


def true_answer(world: World, question: str) -> str:
    """What is true of a question's chain in the world."""
    chain, truth = chain_of(question), world.truth()
    assert chain is not None
    entity = chain.start
    for hop in chain.hops:
        entity = truth[entity, hop.relation, hop.qualifier]
    return entity
