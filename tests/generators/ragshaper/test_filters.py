"""The default filters in a run: they stop work early, and a recipe tunes them."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

from synthmill.filters.verifiers.prompts.reading import AnswerFromMemory, ShortAnswer
from synthmill.generators.ragshaper import prompts
from synthmill.generators.ragshaper.records import QuestionDetail, TrajectoryDetail
from synthmill.models.prompt import Prompt
from synthmill.pipelines.run import start
from synthmill.schemas.recipe import Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.generators.ragshaper.offline_context import OfflineContext, world_source
from tests.generators.ragshaper.run_generator import light, make, true_answer


async def test_nothing_is_spent_on_a_question_that_a_filter_rejects(tmp_path: Path) -> None:
    source, world = world_source(11)

    def remember(prompt: AnswerFromMemory) -> str:
        return ShortAnswer(answer=true_answer(world, prompt.question)).model_dump_json()

    contexts = [OfflineContext(number, {"answer_from_memory": remember}) for number in range(4)]
    rows = await make(source, light(), tmp_path, contexts)
    assert len(rows) >= 4 and {row.kind for row in rows} == {"rlvr"}
    reasons = Counter((row.verdicts[-1].filter, row.verdicts[-1].reason) for row in rows)
    assert reasons["closed_book", "known without evidence"] >= 3
    asked = Counter(name for context in contexts for name, _ in context.asked)
    assert asked["synthesize_question"] == 3 * len(rows), "three attempts for each path"
    assert not asked["navigator_turn"] and not asked["tell_apart"]


async def test_a_new_attempt_gets_the_reason_of_the_filter(tmp_path: Path) -> None:
    source, world = world_source(11)

    def remember(prompt: AnswerFromMemory) -> str:
        return ShortAnswer(answer=true_answer(world, prompt.question)).model_dump_json()

    context = OfflineContext(0, {"answer_from_memory": remember})
    await make(source, light(), tmp_path, [context])
    asked = [p for p in context.prompts if isinstance(p, prompts.SynthesizeQuestion)]
    assert asked[0].failure == "" and asked[1].failure.startswith("known without evidence")
    assert "known without evidence" in asked[1].messages()[0].text


def test_a_recipe_tunes_and_removes_default_filters(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "name": "tuned",
            "source": {"type": "world", "seed": 5},
            "generator": {
                "name": "ragshaper",
                "settings": {"preset": "light", "seeds": {"limit": 8}},
            },
            "filters": [
                {"name": "rollout_outcome", "settings": {"keep": ["handled"]}},
                {"name": "distractor_distinguishable", "enabled": False},
            ],
            "output": {"dataset": "tuned"},
        }
    )
    home = Home(tmp_path)
    asyncio.run(start(recipe, home))
    rows = list(Dataset.open(home, "tuned").rows(status=None))
    trajectories = [row for row in rows if row.kind == "trajectory"]
    for row in trajectories:
        outcome = TrajectoryDetail.model_validate_json(row.detail).outcome
        assert outcome == "handled" or row.status == "rejected"
    assert len({row.status for row in trajectories}) == 2
    names = {verdict.filter for row in rows for verdict in row.verdicts}
    assert "distractor_tempting" in names and "distractor_distinguishable" not in names


def test_rows_hold_their_evidence_and_each_filter_judged_once(tmp_path: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "name": "plain",
            "source": {"type": "world", "seed": 5},
            "generator": {
                "name": "ragshaper",
                "settings": {"preset": "light", "seeds": {"limit": 4}},
            },
            "output": {"dataset": "plain"},
        }
    )
    home = Home(tmp_path)
    report = asyncio.run(start(recipe, home))
    rows = list(Dataset.open(home, "plain").rows(status=None))
    for row in rows:
        names = [verdict.filter for verdict in row.verdicts]
        assert len(names) == len(set(names))
        if row.kind == "rlvr" and row.status == "accepted":
            evidence = QuestionDetail.model_validate_json(row.detail).evidence
            assert evidence.answer == row.answer and len(evidence.quotes) >= 3
            assert evidence.passages and evidence.further_passages
    questions = report.usage["synthesize_question"].asked.calls
    assert report.usage["list_answers"].asked.calls <= questions


def test_every_answer_that_models_write_is_bounded() -> None:
    checked = set()
    for found in vars(prompts).values():
        if isinstance(found, type) and issubclass(found, Prompt) and found is not Prompt:
            schema = found.json_schema()
            if schema is not None:
                checked.add(found.answer_type().__name__)
                _assert_bounded(json.loads(schema), found.__name__)
    assert checked == {"NextAction", "WrittenDistractors", "SynthesizedQuestion", "SideChoice"}


def _assert_bounded(schema: Any, where: str) -> None:
    if isinstance(schema, list):
        for part in schema:
            _assert_bounded(part, where)
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "string" and "enum" not in schema:
        assert "maxLength" in schema, f"{where}: {schema}"
    if schema.get("type") == "array":
        assert "maxItems" in schema, f"{where}: {schema}"
    for key, part in schema.items():
        _assert_bounded(part, f"{where}.{key}")
