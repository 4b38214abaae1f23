"""Rows made from a generated world without an engine, and the world's truth about them."""

from pathlib import Path
from typing import Any

from synthmill.generators.ragshaper.generator import RagShaper
from synthmill.generators.ragshaper.offline.chains import chain_of
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.schemas.row import Candidate
from synthmill.sources.documents.world import World
from tests.generators.ragshaper.desk import Desk

Truth = dict[tuple[str, str, str | None], str]


def light(cache: Path, **more: Any) -> RagShaperSettings:
    """Light settings with a cache of the test's own."""
    return RagShaperSettings.model_validate({"preset": "light", "cache": str(cache), **more})


async def make(source: Any, settings: RagShaperSettings, seeds: int) -> list[Candidate]:
    """The candidates of the first seeds."""
    generator, rows = RagShaper(settings), list[Candidate]()
    for number, task in enumerate(generator.tasks(source, None)):
        if number == seeds:
            break
        desk = Desk(number)
        rows += [candidate async for candidate in generator.generate(task, desk)]
    return rows


def accepted(rows: list[Candidate], kind: str) -> list[Candidate]:
    """The candidates of a kind that no check of the generator's own refused."""
    return [r for r in rows if r.kind == kind and all(v.status == "pass" for v in r.verdicts)]


def true_answer(world: World, question: str) -> str:
    """What is true of a question's chain in the world."""
    chain, truth = chain_of(question), world.truth()
    assert chain is not None
    entity = chain.start
    for hop in chain.hops:
        entity = truth[entity, hop.relation, hop.qualifier]
    return entity
