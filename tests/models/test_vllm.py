"""Real vLLM on a CPU with the shipped model, started, spoken to and ended by the back end.

Needs an interpreter with vllm: SYNTHMILL_VLLM_PYTHON, or .venv-vllm (tests/vllm_environment.sh).
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import Any, Literal

import psutil
import pytest
import pytest_asyncio

from synthmill.generators.cotevol.prompts import Solve
from synthmill.models.backends.vllm import PYTHON_VARIABLE
from synthmill.models.embedded.language_model import WEIGHTS
from synthmill.models.errors import ServerUnavailable
from synthmill.models.prompt import Prompt
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Sampling
from synthmill.schemas.base import Record
from synthmill.schemas.recipe import ModelSpec

PYTHON = Path(
    os.environ.get(PYTHON_VARIABLE) or Path(__file__).parents[2] / ".venv-vllm/bin/python"
)
# Float32 in vLLM against float64 in onnxruntime: 5e-6 was measured.
TOLERANCE = 1e-4

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not PYTHON.exists(), reason="no vLLM: run tests/vllm_environment.sh"),
]


class Verdict(Record):
    """An answer that even a weak model can finish."""

    right: bool
    grade: Literal["good", "bad", "unsure"]


class Grade(Prompt[Verdict]):
    """Asks for a `Verdict`."""

    text: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def models() -> AsyncIterator[ModelRegistry]:
    """The shipped model in both back ends; afterwards nothing of vLLM may be left."""
    settings: dict[str, Any] = {"path": str(WEIGHTS), "python": str(PYTHON), "device": "cpu"}
    settings |= {"dtype": "float32", "environment": {"HF_HUB_OFFLINE": "1"}}
    specs = {
        "default": ModelSpec(backend="vllm", model="synthmill-lm", settings=settings),
        "embedded": ModelSpec(),
    }
    before = set(descendants())
    async with ModelRegistry(specs, cache=None) as models:
        assert set(descendants()) - before
        yield models
    assert not set(descendants()) - before


def descendants() -> list[psutil.Process]:
    """Processes that this one started; ended ones that nobody has waited for are left out."""
    found = psutil.Process().children(recursive=True)
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


def problems(count: int) -> list[str]:
    rng = Random(5)
    numbers = [[rng.randint(2, 40) for _ in range(3)] for _ in range(count)]
    return [f"What is {a} * {b % 9 + 2} + {c}?" for a, b, c in numbers]


async def test_it_says_that_it_is_ready(models: ModelRegistry) -> None:
    vllm, embedded = await models.check()
    assert vllm.startswith("default: vllm: http://127.0.0.1:")
    assert embedded.startswith("embedded: embedded: synthmill-lm@")


async def test_both_back_ends_write_the_same_with_the_same_uncertainty(
    models: ModelRegistry,
) -> None:
    greedy = Sampling(temperature=0, max_tokens=150, top_logprobs=5)
    apart = 0.0
    for problem in problems(8):
        for prefix in ("", "Step 1: 7 * 8 = 56\n", "Step 1: "):
            theirs, ours = [
                (await models.client(role).generate(Solve(problem=problem), seed=1, prefix=prefix,
                                                    sampling=greedy)).completion
                for role in ("default", "embedded")
            ]  # fmt: skip
            assert theirs.text == ours.text
            assert theirs.finish_reason == ours.finish_reason
            assert theirs.completion_tokens == ours.completion_tokens
            assert theirs.prompt_tokens == ours.prompt_tokens
            assert [t.token for t in theirs.tokens] == [t.token for t in ours.tokens]
            for their, our in zip(theirs.tokens, ours.tokens, strict=True):
                apart = max(apart, abs(their.logprob - our.logprob))
                assert [t.token for t in their.top[:2]] == [t.token for t in our.top[:2]]
                for one, other in zip(their.top, our.top, strict=True):
                    apart = max(apart, abs(math.exp(one.logprob) - math.exp(other.logprob)))
    print(f"log-probabilities differ by at most {apart:.1e}")
    assert apart < TOLERANCE


async def test_samples_are_seeded_one_by_one(models: ModelRegistry) -> None:
    sampling = Sampling(temperature=1.2, max_tokens=100)
    client = models.client()

    async def texts(n: int, seed: int = 3) -> list[str]:
        prompt = Solve(problem="A box holds 12 pens. Ann has 7 boxes and loses 15 pens.")
        return [r.value for r in await client.sample(prompt, n, seed=seed, sampling=sampling)]

    many = await texts(6)
    assert len(set(many)) > 1
    crowd = await asyncio.gather(*(texts(2), texts(6), texts(6, seed=50)))
    assert crowd[0] == many[:2]
    assert crowd[1] == many
    assert crowd[2] != many


async def test_stop_and_length(models: ModelRegistry) -> None:
    client = models.client()
    prompt = Solve(problem="What is 7 * 8 + 13?")
    stopped = Sampling(temperature=0, max_tokens=150, stop=("Step 2",), top_logprobs=1)
    reply, short = await asyncio.gather(
        client.generate(prompt, seed=1, sampling=stopped),
        client.generate(prompt, seed=1, sampling=Sampling(temperature=0, max_tokens=3)),
    )
    assert reply.completion.text == "".join(token.token for token in reply.completion.tokens)
    assert reply.completion.text == "Step 1: 7 * 8 = 56\n"
    assert short.completion.finish_reason == "length"


async def test_json_follows_its_schema(models: ModelRegistry) -> None:
    sampling = Sampling(max_tokens=100)
    replies = await models.client().sample(Grade(text="7 * 8 = 56"), 4, seed=1, sampling=sampling)
    assert all(isinstance(reply.unwrap(), Verdict) for reply in replies)


async def test_a_server_that_dies_is_reported_with_its_log(models: ModelRegistry) -> None:
    server = next(p for p in descendants() if "vllm.entrypoints" in " ".join(p.cmdline()))
    (engine,) = [p for p in descendants() if "EngineCore" in p.name()] or [server]
    engine.kill()
    if engine != server:
        server.kill()
    with pytest.raises(ServerUnavailable, match=r"vLLM server 1 of 1 \(synthmill-lm\) died\n"):
        await models.client().generate(Solve(problem="What is 1 + 1?"), seed=9)
    assert "vLLM server 1 of 1 (synthmill-lm) died" in (models.status() or "")
