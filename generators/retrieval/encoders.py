"""Texts as unit vectors, by the recipe's embedding model."""

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from synthmill.generators.base import Context
from synthmill.generators.retrieval.base import Scores
from synthmill.models.client import ModelClient
from synthmill.schemas.base import Settings

Side = Literal["query", "passage"]


class EncoderSettings(Settings):
    """The model role that embeds, and the prefixes that its model was trained with."""

    role: str = Field(default="embedding", description="model role under `models`")
    query_prefix: str | None = Field(
        default=None, description="before a query; null follows the model's name"
    )
    passage_prefix: str | None = Field(
        default=None, description="before a passage; null follows the model's name"
    )


class TextEncoder:
    """Embeds by a model client, so through its response cache, budget and retries."""

    def __init__(self, client: ModelClient, settings: EncoderSettings) -> None:
        # E5 models were trained with these prefixes; the released code sets them by name too.
        e5 = "e5" in client.model.lower()
        query, passage = settings.query_prefix, settings.passage_prefix
        self._model = client.model
        self._role = settings.role
        self._embed: Callable[[Sequence[str]], Awaitable[Scores]] = client.embed
        self._prefixes: dict[Side, str] = {
            "query": query if query is not None else "query: " if e5 else "",
            "passage": passage if passage is not None else "passage: " if e5 else "",
        }

    @property
    def label(self) -> str:
        """Model and prefixes: vectors of one label can be compared."""
        return f"{self._model}|{self._prefixes['query']}|{self._prefixes['passage']}"

    def for_task(self, context: Context) -> "TextEncoder":
        """The same encoder, whose calls count as the task's."""
        bound = copy(self)
        bound._embed = partial(context.embed, role=self._role)
        return bound

    async def encode(self, texts: Sequence[str], side: Side) -> Scores:
        """The vectors of length 1, shape (texts, dimensions).

        Raises:
            ServerUnavailable, RequestRejected: as `ModelClient.embed`.
        """
        return unit(await self._embed([self._prefixes[side] + text for text in texts]))


def unit(vectors: Scores) -> Scores:
    """Rows scaled to length 1, so that the dot product is the cosine."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32)
