"""One recipe, three back ends: only `models` changes."""

from pathlib import Path
from typing import Any

import pytest

from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import start
from synthmill.schemas.recipe import ModelSpec, Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.testing import ScriptedServer

ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "models" / "embedded" / "weights"
VLLM = ROOT / ".venv-vllm" / "bin" / "python"


def small_demo(monkeypatch: pytest.MonkeyPatch, problems: int, **models: Any) -> Recipe:
    """The shipped demo over a few problems and two rounds."""
    monkeypatch.chdir(ROOT)
    demo = read_recipe("cotevol-demo")
    source = demo.source.model_copy(update={"limit": problems})
    settings = {"rounds": 2, "max_tokens": 300, "mutations_per_round": 2}
    generator = demo.generator.model_copy(update={"settings": settings})
    changes: dict[str, Any] = {"source": source, "generator": generator}
    if models:
        changes["models"] = {"default": ModelSpec.model_validate(models)}
    return demo.model_copy(update=changes)


def spoken(home: Home) -> set[tuple[str, str]]:
    rows = Dataset.open(home, "cotevol-demo").rows(status=None)
    return {(row.task_key, row.id) for row in rows}


async def test_the_embedded_model_gives_the_same_rows_at_any_concurrency(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_demo(monkeypatch, 8)
    homes = [Home(tmp_path / name) for name in ("one", "many")]
    for home, concurrency in zip(homes, (1, 64), strict=True):
        engine = recipe.engine.model_copy(update={"concurrency": concurrency})
        report = await start(recipe.model_copy(update={"engine": engine}), home)
        assert report.accepted > 0 and report.failed == 0
    assert spoken(homes[0]) == spoken(homes[1])


def solution(body: dict[str, Any], seed: int) -> str:
    """What a server says that knows no arithmetic."""
    return f"Step 1: {seed % 7} + 1 = {seed % 7 + 1}\nThe answer is \\boxed{{{seed % 7 + 1}}}."


async def test_the_demo_runs_on_any_openai_compatible_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedServer(solution) as server:
        recipe = small_demo(
            monkeypatch,
            6,
            backend="openai",
            model="scripted",
            settings={"base_url": server.url},
        )
        report = await start(recipe, Home(tmp_path / "factory"))
    assert report.stop == "source exhausted"
    assert report.emitted == report.accepted + report.rejected + report.failed
    assert report.tasks == 6 and report.usage["solve"].bought.calls >= 6


@pytest.mark.skipif(not VLLM.is_file(), reason="no .venv-vllm: tests/vllm_environment.sh makes it")
async def test_the_demo_runs_on_a_vllm_that_it_starts_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = small_demo(
        monkeypatch,
        6,
        backend="vllm",
        model="synthmill-lm",
        settings={
            "path": str(WEIGHTS),
            "python": str(VLLM),
            "device": "cpu",
            "dtype": "float32",
            "environment": {"HF_HUB_OFFLINE": "1"},
        },
    )
    report = await start(recipe, Home(tmp_path / "factory"))
    assert (report.stop, report.failed) == ("source exhausted", 0)
    # The model is the embedded one, so it solves problems through vLLM too.
    assert report.by_kind.get("sft", 0) >= 2
