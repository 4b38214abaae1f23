"""What the engine hands to a generator for one task, and the account of what the task used."""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from synthmill.generators.base import Judged, MediaWriter
from synthmill.models.prompt import Prompt, Reply
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Sampling
from synthmill.pipelines.judging import verify
from synthmill.pipelines.plan import Stage, Verifying
from synthmill.pipelines.source_blocklist import SourceBlocklist, SourceDeletedError
from synthmill.runtime.workers import Limits, WorkerPool
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.lineage import Media
from synthmill.schemas.row import Candidate
from synthmill.schemas.usage import Usage

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Services:
    """What all tasks of a run share."""

    seed: int
    models: ModelRegistry
    workers: WorkerPool
    write_media: MediaWriter
    verifiers: Sequence[Stage[Verifying]] = ()
    blocklist: SourceBlocklist | None = None

    def barred(self, item: object) -> Candidate | None:
        """See `SourceBlocklist.barred`."""
        return None if self.blocklist is None else self.blocklist.barred(item)


class TaskContext:
    """The `generators.base.Context` of one task.

    Args:
        services: what all tasks share.
        key: the task's key, from which its randomness follows.
        index: the task's index; model calls of earlier tasks go first.
        usage: counts what the task uses.
        item: what the task works on; once its source is deleted, nothing more is bought for it.
    """

    def __init__(
        self,
        services: Services,
        key: str,
        index: int = 0,
        usage: Usage | None = None,
        item: object = None,
    ) -> None:
        self.usage = Usage() if usage is None else usage
        self._services = services
        self._key = key
        self._index = index
        self._item = item
        self._scope = ""
        self._folders: list[tempfile.TemporaryDirectory[str]] = []
        self._reported = Usage()
        self._models: set[str] = set()
        self._judged: dict[int, Judged] = {}

    @property
    def seed(self) -> int:
        """The task's own seed, keyed by the run's seed and the task's key."""
        return keyed_seed(self._services.seed, self._key)

    @property
    def scratch(self) -> Path:
        """A folder that lives as long as the task."""
        if not self._folders:
            self._folders.append(
                tempfile.TemporaryDirectory(prefix="synthmill-", ignore_cleanup_errors=True)
            )
        return Path(self._folders[0].name)

    def close(self) -> None:
        """Remove the scratch folder."""
        for folder in self._folders:
            folder.cleanup()

    def scoped(self, prefix: str) -> Self:
        """This context, its usage and folder, with `prefix/` in front of every purpose."""
        scoped = copy(self)
        scoped._scope = f"{self._scope}{prefix}/"
        return scoped

    def rng(self, purpose: str) -> Random:
        """A random generator keyed by run seed, task key and purpose."""
        return Random(self._seed_of(purpose))

    def _seed_of(self, purpose: str) -> int:
        return keyed_seed(self._services.seed, self._key, self._scope + purpose)

    async def generate(self, prompt: Prompt[T], *, purpose: str, **options: Any) -> Reply[T]:
        """See `generators.base.Context.generate`."""
        (reply,) = await self.sample(prompt, 1, purpose=purpose, **options)
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
        self._check_source()
        client = self._services.models.client(role)
        replies = await client.sample(
            prompt,
            n,
            seed=self._seed_of(purpose),
            prefix=prefix,
            sampling=sampling,
            tools=tools,
            priority=self._index,
            usage=self.usage,
        )
        self._models.add(client.model)
        return replies

    async def embed(
        self, texts: Sequence[str], *, role: str = "embedding"
    ) -> "npt.NDArray[np.float32]":
        """See `generators.base.Context.embed`."""
        self._check_source()
        client = self._services.models.client(role)
        return await client.embed(texts, priority=self._index, usage=self.usage)

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

    async def verify(self, candidate: Candidate) -> Judged:
        """See `generators.base.Context.verify`."""
        # By identity: a candidate that was changed since is another one. What is kept here lives,
        # so its identity is not given to a new object.
        judged = self._judged.get(id(candidate))
        if judged is None:
            services, context = self._services, self.scoped("verify")
            context._models = set()  # a row names the models that wrote it, not those that judge it
            deleted = services.blocklist and services.blocklist.verdict(candidate.sources)
            if deleted:
                judged = Judged(candidate, (*candidate.verdicts, deleted), False)
            else:
                judged = await verify(candidate, services.verifiers, context, services.workers)
            self._judged[id(candidate)] = judged
        return judged

    def _check_source(self) -> None:
        if self._services.barred(self._item):
            raise SourceDeletedError

    def take_costs(self, candidate: Candidate) -> dict[str, Any]:
        """The fields of a row that say what the task used since its previous candidate."""
        used, self._reported = self.usage - self._reported, replace(self.usage)
        return {
            "model": candidate.model or ", ".join(sorted(self._models)) or None,
            "seed": self.seed if candidate.seed is None else candidate.seed,
            "prompt_tokens": used.prompt_tokens,
            "completion_tokens": used.completion_tokens,
            "calls": used.calls,
        }
