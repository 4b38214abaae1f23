"""Same recipe and seed, same rows: at any concurrency, and in any order of the answers."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from synthmill.generators.ragshaper.generator import TypeQuotas
from synthmill.generators.ragshaper.records import DISTRACTOR_TYPES, DistractorType
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.pipelines.run import start
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.generators.ragshaper.offline_context import world_source
from tests.generators.ragshaper.run_generator import all_tasks, light, prepared


def recipe(concurrency: int) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "ragshaper",
            "seed": 3,
            "source": {"type": "world", "seed": 5},
            "generator": {
                "name": "ragshaper",
                "settings": {"preset": "light", "seeds": {"limit": 10}},
                "feedback_lag": 5,
            },
            "output": {"dataset": "ragshaper"},
            "engine": {"concurrency": concurrency},
        }
    )


def ids(home: Home) -> list[tuple[str, str]]:
    dataset = Dataset.open(home, "ragshaper")
    return sorted((row.id, row.status) for row in dataset.rows(status=None))


def test_rows_are_the_same_at_any_concurrency(tmp_path: Path) -> None:
    made = {}
    for concurrency in (1, 16):
        home = Home(tmp_path / str(concurrency))
        asyncio.run(start(recipe(concurrency), home))
        made[concurrency] = ids(home)
    assert made[1] == made[16] and len(made[1]) > 30
    for row in Dataset.open(home, "ragshaper").rows(status=None):
        assert json.loads(row.detail)["corpus"] and len(row.detail) < 200_000


async def test_tasks_go_through_all_seeds_once(tmp_path: Path) -> None:
    generator = await prepared(world_source()[0], light(seeds={"limit": 7}), tmp_path)
    keys = [task.key for task in await all_tasks(generator)]
    assert len(keys) == len(set(keys)) == 7


async def test_unreadable_documents_are_the_first_tasks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Some text that can be read.", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"\xff\xff")
    source = CorpusSource(CorpusSettings(path=tmp_path))
    tasks = await all_tasks(await prepared(source, light(), tmp_path / "cache"))
    assert [getattr(task.item, "reason", "") for task in tasks] == ["not UTF-8", ""]


def test_quotas_hold_a_type_to_its_share() -> None:
    quotas = TypeQuotas(handled={"doppelganger": 8, "false_shortcut": 6, "fragmented_puzzle": 6})
    assert quotas.full("doppelganger", 0.4, 20) and not quotas.full("false_shortcut", 0.4, 20)
    assert not quotas.full("doppelganger", 0.4, 21), "shares do not count yet"
    assert quotas.wanted()[0] == "subjective_fallacy"
    assert quotas.wanted()[-1] == "doppelganger"


@pytest.mark.parametrize("kinds", [DISTRACTOR_TYPES[:1], DISTRACTOR_TYPES[:2]])
def test_few_types_are_never_all_full(kinds: tuple[DistractorType, ...]) -> None:
    quotas = TypeQuotas(handled=dict.fromkeys(kinds, 1))
    for _ in range(60):
        free = [kind for kind in kinds if not quotas.full(kind, 0.4, 20)]
        quotas = quotas.with_one(free[0])
    assert max(quotas.handled.values()) <= 62 / len(kinds) + 1


def test_the_light_preset_gives_way_to_what_is_set() -> None:
    plain, light_ = RagShaperSettings(), RagShaperSettings.model_validate({"preset": "light"})
    assert (plain.tree.max_depth, plain.tree.paths, plain.tree.branch_probability) == (30, 2, 0.5)
    assert (plain.navigation.probability, plain.navigation.injected) == (0.5, 2)
    assert light_.tree.max_depth == 8 and light_.navigation.samples == 3
    own = {"preset": "light", "tree": {"max_depth": 4}}
    chosen = RagShaperSettings.model_validate(own)
    assert chosen.tree.max_depth == 4 and chosen.tree.min_distractors == 3


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seeds": {"match": "("}}, "no pattern"),
        ({"seeds": {"match": "qqqqq"}}, "no passage matches"),
    ],
)
async def test_wrong_seeds_are_told_in_one_line(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        await prepared(world_source()[0], light(**settings), tmp_path)
