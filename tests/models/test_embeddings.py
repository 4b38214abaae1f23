"""Embeddings: counted, cached, and no text bought twice."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from synthmill.models.registry import ModelRegistry
from synthmill.schemas.recipe import ModelSpec
from synthmill.schemas.usage import Usage

TEXTS = ["The lamp is red.", "The lamp is green.", "Nobody swims in winter."]


async def test_texts_with_common_words_are_near(tmp_path: Path) -> None:
    async with ModelRegistry({"default": ModelSpec()}, cache=None) as models:
        vectors = await models.client("embedding").embed(TEXTS)
        assert vectors.dtype == np.float32 and vectors.shape[0] == 3
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0)
        cosines = vectors @ vectors.T
        assert cosines[0, 1] > 0.6 > 0.2 > abs(cosines[0, 2])
        assert (await models.client().embed([])).shape == (0, 0)
        assert not (await models.client().embed(["..."])).any()


async def test_a_replay_buys_no_vector_and_counts_the_same(tmp_path: Path) -> None:
    first, replayed = Usage(), Usage()
    async with ModelRegistry({"default": ModelSpec()}, cache=tmp_path / "cache") as models:
        vectors = await models.client().embed(TEXTS, usage=first)
        assert models.usage["embedding"].asked == first == models.bought
    async with ModelRegistry({"default": ModelSpec()}, cache=tmp_path / "cache") as models:
        again = await models.client().embed(TEXTS[::-1], usage=replayed)
        assert models.bought == Usage()
    assert (again[::-1] == vectors).all()
    assert first == replayed and first.calls == 1 and first.prompt_tokens > 10


async def test_texts_in_flight_are_bought_once() -> None:
    async with ModelRegistry({"default": ModelSpec()}, cache=None) as models:
        client = models.client()
        many = await asyncio.gather(*(client.embed([*TEXTS, TEXTS[0]]) for _ in range(10)))
        assert all((one == many[0]).all() and (one[3] == one[0]).all() for one in many)
        assert models.usage["embedding"].asked.calls == 10
        assert models.usage["embedding"].bought.calls == 1
