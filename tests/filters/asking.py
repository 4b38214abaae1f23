"""A context for filters that ask models: real clients on the models of a registry."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from synthmill.models.registry import ModelRegistry
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.recipe import ModelSpec


class Asking:
    """`FilterContext` without a task."""

    seed = 7

    def __init__(self, models: ModelRegistry) -> None:
        self._models = models

    def rng(self, purpose: str) -> Random:
        return Random(keyed_seed(self.seed, purpose))

    async def generate(self, prompt: Any, *, purpose: str, role: str, sampling: Any) -> Any:
        return (await self.sample(prompt, 1, purpose=purpose, role=role, sampling=sampling))[0]

    async def sample(
        self, prompt: Any, n: int, *, purpose: str, role: str, sampling: Any
    ) -> list[Any]:
        seed = keyed_seed(self.seed, purpose)
        return await self._models.client(role).sample(prompt, n, seed=seed, sampling=sampling)


@asynccontextmanager
async def asking(**roles: ModelSpec) -> AsyncIterator[Any]:
    """A context on these model roles."""
    async with ModelRegistry(roles, cache=None, give_up_after_seconds=0.5) as models:
        yield Asking(models)
