"""What a generator sees of the world while it works on one task."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Literal, ParamSpec, TypeVar

from filters.pool import WorkerPool
from models.pool import Models
from models.prompt import Prompt, Reply
from models.usage import Usage
from models.wire import Sampling
from schemas.identity import keyed_seed
from schemas.lineage import Media
from schemas.row import Candidate

A = TypeVar("A")
T = TypeVar("T")
P = ParamSpec("P")

MediaWriter = Callable[[bytes, str, str, str | None], Media]


@dataclass(frozen=True, slots=True)
class Services:
    """What all tasks of a run share."""

    seed: int
    models: Models
    workers: WorkerPool
    write_media: MediaWriter


class TaskContext:
    """The `generators.base.Context` of one task, and the account of what the task cost."""

    def __init__(self, services: Services, task_key: str) -> None:
        self._services = services
        self._task_key = task_key
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.spent = Usage()
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

    async def ask(
        self,
        prompt: Prompt[A],
        *,
        purpose: str,
        role: str = "default",
        n: int = 1,
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
    ) -> list[Reply]:
        """See `generators.base.Context.ask`."""
        replies = await self._services.models.client(role).ask(
            prompt,
            seed=keyed_seed(self._services.seed, self._task_key, purpose),
            n=n,
            prefix=prefix,
            sampling=sampling,
            tools=tools,
            tally=self.spent,
        )
        self._models |= {reply.model for reply in replies}
        return replies

    async def write_media(
        self,
        data: bytes,
        kind: Literal["image", "video", "audio", "file"],
        mime: str,
        detail: str | None = None,
    ) -> Media:
        """See `generators.base.Context.write_media`."""
        return self._services.write_media(data, kind, mime, detail)

    async def in_worker(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """See `generators.base.Context.in_worker`."""
        return await self._services.workers.call(call, *args, **kwargs)

    def book(self, candidate: Candidate) -> Candidate:
        """The candidate with what its task spent since the one before, and on which models."""
        delta = self.spent - self._booked
        self._booked = self.spent.copy()
        return candidate.model_copy(
            update={
                "model": candidate.model or ", ".join(sorted(self._models)) or None,
                "seed": candidate.seed if candidate.seed is not None else self.seed,
                "prompt_tokens": delta.prompt_tokens,
                "completion_tokens": delta.completion_tokens,
                "calls": delta.calls,
            }
        )
