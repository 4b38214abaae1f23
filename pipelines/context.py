"""What a generator sees of the world while it works on one task."""

import asyncio
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeVar

from synthmill.models.prompt import Prompt, Reply
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Sampling
from synthmill.runtime.workers import Limits, WorkerPool
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.lineage import Media
from synthmill.schemas.row import Candidate
from synthmill.schemas.usage import Usage

T = TypeVar("T")

MediaWriter = Callable[[bytes, str, str, str | None], Media]


@dataclass(frozen=True, slots=True)
class Services:
    """What all tasks of a run share."""

    seed: int
    models: ModelRegistry
    workers: WorkerPool
    write_media: MediaWriter


class TaskContext:
    """The `generators.base.Context` of one task, and the account of what the task cost."""

    def __init__(self, services: Services, task_key: str) -> None:
        self._services = services
        self._task_key = task_key
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.usage = Usage()
        self._booked = Usage()
        self._models: set[str] = set()

    @property
    def seed(self) -> int:
        """The task's own seed, keyed by the run's seed and the task's key."""
        return keyed_seed(self._services.seed, self._task_key)

    @cached_property
    def scratch(self) -> Path:
        """A folder that lives as long as the task."""
        self._folder = tempfile.TemporaryDirectory(prefix="synthmill-", ignore_cleanup_errors=True)
        return Path(self._folder.name)

    def close(self) -> None:
        """Remove the scratch folder."""
        if self._folder is not None:
            self._folder.cleanup()

    def rng(self, purpose: str) -> Random:
        """A random generator keyed by run seed, task key and purpose."""
        return Random(keyed_seed(self._services.seed, self._task_key, purpose))

    async def generate(
        self,
        prompt: Prompt[T],
        *,
        purpose: str,
        role: str = "default",
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
    ) -> Reply[T]:
        """See `generators.base.Context.generate`."""
        (reply,) = await self.sample(
            prompt,
            1,
            purpose=purpose,
            role=role,
            prefix=prefix,
            sampling=sampling,
            tools=tools,
        )
        return reply

    async def sample(
        self,
        prompt: Prompt[T],
        n: int,
        *,
        purpose: str,
        role: str = "default",
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
    ) -> list[Reply[T]]:
        """See `generators.base.Context.sample`."""
        client = self._services.models.client(role)
        replies = await client.sample(
            prompt,
            n,
            seed=keyed_seed(self._services.seed, self._task_key, purpose),
            prefix=prefix,
            sampling=sampling,
            tools=tools,
            usage=self.usage,
        )
        self._models.add(client.model)
        return replies

    async def write_media(
        self,
        data: bytes,
        kind: Literal["image", "video", "audio", "file"],
        mime: str,
        detail: str | None = None,
    ) -> Media:
        """See `generators.base.Context.write_media`."""
        # In a thread: the file is synced to disk, which takes milliseconds.
        return await asyncio.to_thread(self._services.write_media, data, kind, mime, detail)

    async def run_in_worker(
        self, function: Callable[..., T], *args: Any, limits: Limits = Limits(), **kwargs: Any
    ) -> T:
        """See `generators.base.Context.run_in_worker`."""
        return await self._services.workers.run(function, *args, limits=limits, **kwargs)

    def book(self, candidate: Candidate) -> Candidate:
        """The candidate with what its task spent since the one before, and on which models."""
        spent, self._booked = self.usage - self._booked, replace(self.usage)
        return candidate.model_copy(
            update={
                "model": candidate.model or ", ".join(sorted(self._models)) or None,
                "seed": self.seed if candidate.seed is None else candidate.seed,
                "prompt_tokens": spent.prompt_tokens,
                "completion_tokens": spent.completion_tokens,
                "calls": spent.calls,
            }
        )
