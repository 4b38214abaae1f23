"""Asking one model role: the prompt goes out, typed replies come back."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from synthmill.models.backend import Backend
from synthmill.models.completion import Vectors
from synthmill.models.embedding import EmbeddingRequest, EmbeddingService
from synthmill.models.inflight import CompletionRequest, CompletionService
from synthmill.models.prompt import Prompt, Reply
from synthmill.models.request import DEFAULT_SAMPLING, Request, Sampling
from synthmill.models.usage import UsageTracker, call_usage, embedding_usage
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import Price
from synthmill.schemas.usage import Usage

T = TypeVar("T")


class ModelClient:
    """One model role, as generators and filters use it."""

    def __init__(
        self,
        backend: Backend,
        price: Price | None,
        completions: CompletionService,
        embeddings: EmbeddingService,
        tracker: UsageTracker,
    ) -> None:
        self._backend = backend
        self._price = price
        self._completions = completions
        self._embeddings = embeddings
        self._tracker = tracker

    @property
    def model(self) -> str:
        """The model's name as rows carry it."""
        return self._backend.model

    async def generate(
        self,
        prompt: Prompt[T],
        *,
        seed: int,
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
        priority: int = 0,
        usage: Usage | None = None,
    ) -> Reply[T]:
        """One reply; see `sample`."""
        (reply,) = await self.sample(
            prompt,
            1,
            seed=seed,
            prefix=prefix,
            sampling=sampling,
            tools=tools,
            priority=priority,
            usage=usage,
        )
        return reply

    async def sample(
        self,
        prompt: Prompt[T],
        n: int,
        *,
        seed: int,
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
        priority: int = 0,
        usage: Usage | None = None,
    ) -> list[Reply[T]]:
        """`n` replies in sample order.

        A malformed answer is asked for again with the error appended, as often as the back end's
        `max_parse_retries` says; one that is still malformed comes back as such.

        Args:
            prompt: the question.
            n: how many samples of the answer.
            seed: of sample 0; the same request with the same seed has the same answers.
            prefix: the beginning of the answer, to be continued.
            sampling: temperature and bounds; `DEFAULT_SAMPLING` where it is not given.
            tools: JSON text of tool schemas.
            priority: calls of a lower number go first where calls wait; the task's index.
            usage: counts all of it.

        Raises:
            ServerUnavailable: the model server stayed dead for longer than the run waits.
            RequestRejected: the server will never answer this; `ConfigurationError` when
                that is true of any call.
        """
        request = Request(
            model=self.model,
            messages=prompt.messages(),
            prefix=prefix,
            sampling=sampling or DEFAULT_SAMPLING,
            n=n,
            seed=seed,
            json_schema=prompt.json_schema(),
            tools=tools,
        )
        counts = self._tracker.prompt(prompt.prompt_name())
        asked = CompletionRequest(request, self._backend, prompt, counts, self._price, priority)
        replies = await self._replies(asked, usage)
        for reply in replies:
            if reply.malformed is not None:
                retried = (self._retry_malformed(asked, usage, i, r) for i, r in enumerate(replies))
                return list(await asyncio.gather(*retried))
        return replies

    async def embed(
        self, texts: Sequence[str], *, priority: int = 0, usage: Usage | None = None
    ) -> Vectors:
        """The embedding vectors of texts, shape (texts, dimensions); (0, 0) without texts.

        Raises:
            ServerUnavailable: the model server stayed dead for longer than the run waits.
            RequestRejected: the server will never answer this, or the model does not embed.
        """
        if not texts:
            return np.zeros((0, 0), np.float32)
        counts = self._tracker.prompt("embedding")
        made = await self._embeddings.get(
            EmbeddingRequest(texts, self._backend, counts.bought, self._price, priority)
        )
        used = embedding_usage(made, self._price)
        counts.asked += used
        if usage is not None:
            usage += used
        return np.stack([embedding.vector for embedding in made])

    async def _replies(self, asked: CompletionRequest[T], usage: Usage | None) -> list[Reply[T]]:
        completions = await self._completions.get(asked)
        prompt, request = asked.prompt, asked.request
        used = call_usage(completions, self._price)
        asked.counts.asked += used
        if usage is not None:
            usage += used
        return [
            Reply.parsed(prompt, completion, request.model, request.prefix)
            for completion in completions
        ]

    async def _retry_malformed(
        self, asked: CompletionRequest[T], usage: Usage | None, index: int, reply: Reply[T]
    ) -> Reply[T]:
        """Ask again for sample `index` while it is malformed, each time with the error."""
        request = asked.request
        for attempt in range(1, self._backend.settings.max_parse_retries + 1):
            if reply.malformed is None:
                break
            wrong = request.prefix + reply.completion.text
            error = user(
                f"This answer cannot be used: {reply.malformed}\n"
                "Give the whole answer again, in the form asked for."
            )
            # Some servers refuse a turn without content.
            turns = (assistant(wrong), error) if wrong.strip() else (error,)
            again = request._replace(
                messages=(*request.messages, *turns),
                first=index,
                n=1,
                # The same wrong answer twice is still a new question.
                seed=keyed_seed(request.seed, "malformed", attempt),
            )
            (reply,) = await self._replies(replace(asked, request=again), usage)
        return reply
