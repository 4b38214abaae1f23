"""The generator end to end on the shipped model, as the engine runs it."""

import asyncio
import itertools
from typing import Any

import pytest

from scripts.embedded_model.arithmetic import TIERS, problems
from synthmill.generators.base import Task
from synthmill.generators.cotevol.generator import Cotevol
from synthmill.generators.cotevol.rows import EvolutionRecord
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.models.embedded.language_model import WEIGHTS
from synthmill.models.registry import ModelRegistry
from synthmill.pipelines.context import Services, TaskContext
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.recipe import ModelSpec
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem

pytestmark = pytest.mark.skipif(
    not (WEIGHTS / "model.safetensors").exists(), reason="the shipped model is not there"
)


def drawn(tier: str, count: int) -> list[Problem]:
    found = itertools.islice(problems(TIERS[tier], 5, held_out=True), count)
    return [
        Problem(key=p.id, text=p.text, answer=p.answer, origin=SourceRef(uri=tier)) for p in found
    ]


async def evolved(given: list[Problem], **settings: Any) -> list[list[Candidate]]:
    generator = Cotevol(CotevolSettings(**settings))

    async def rows(problem: Problem) -> list[Candidate]:
        context = TaskContext(services, problem.key)
        found = generator.generate(Task(key=problem.key, item=problem), context)
        return [row.model_copy(update=context.take_costs(row)) async for row in found]

    async with (
        ModelRegistry({"default": ModelSpec()}, cache=None) as models,
        WorkerPool(1) as workers,
    ):
        services = Services(0, models, workers, lambda *_: pytest.fail("no media"))
        return await asyncio.gather(*(rows(problem) for problem in given))


async def test_easy_problems_are_solved_and_taught() -> None:
    made = await evolved(drawn("easy", 8), rounds=2)
    best = [rows[0] for rows in made]
    assert sum(not row.verdicts for row in best) >= 5
    assert all(row.model and row.model.startswith("synthmill-lm@") for row in best)
    assert all(row.completion_tokens > 0 for row in best)
    assert {row.kind for rows in made for row in rows} == {"sft", "rlvr", "preference"}


async def test_tokens_of_the_record_are_those_booked() -> None:
    for rows in await evolved(drawn("middle", 3), rounds=1):
        record = EvolutionRecord.model_validate_json(rows[0].detail)
        assert record.tokens == sum(row.completion_tokens for row in rows)


async def test_the_order_of_work_changes_nothing() -> None:
    given = drawn("middle", 3)
    together = await evolved(given, rounds=1)
    alone = [(await evolved([problem], rounds=1))[0] for problem in given]
    assert together == alone


@pytest.mark.parametrize(
    "settings",
    [{"preset": "paper", "rounds": 1}, {"strategy": "self_refine", "refine_rounds": 1}],
)
async def test_other_methods_run_too(settings: dict[str, Any]) -> None:
    for rows in await evolved(drawn("easy", 2), **settings):
        assert rows[0].kind == "sft"


async def test_a_problem_without_an_answer() -> None:
    given = [problem.model_copy(update={"answer": None}) for problem in drawn("easy", 3)]
    for rows in await evolved(given, rounds=1):
        record = EvolutionRecord.model_validate_json(rows[0].detail)
        assert record.mode == "self-evaluation"
        assert {row.kind for row in rows} <= {"sft", "preference"}
