"""Embedding vectors, each text bought once: from the cache, a call in flight, or a back end."""

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from synthmill.models.backend import Backend
from synthmill.models.completion import Embedding
from synthmill.models.response_cache import ResponseCache
from synthmill.models.usage import embedding_usage
from synthmill.schemas.recipe import Price
from synthmill.schemas.usage import Usage


@dataclass(slots=True)
class EmbeddingRequest:
    """Texts with the back end that embeds them; what is bought is counted in `bought`."""

    texts: Sequence[str]
    backend: Backend
    bought: Usage
    price: Price | None
    priority: int = 0


class EmbeddingService:
    """Gets embeddings, and never buys the vector of a text twice."""

    def __init__(self, cache: ResponseCache | None) -> None:
        self._cache = cache
        self._in_flight: dict[bytes, asyncio.Task[dict[bytes, Embedding]]] = {}

    async def get(self, asked: EmbeddingRequest) -> list[Embedding]:
        """The embeddings of the texts, in their order.

        Raises:
            ServerUnavailable, RequestRejected: as the back end does.
        """
        start = hashlib.sha256(
            f"embedding\0{asked.backend.model}\0{asked.backend.cache_identity()}\0".encode()
        )
        texts = {_key(start, text): text for text in asked.texts}
        found = self._cache.embeddings(texts) if self._cache else {}
        missing = {k: t for k, t in texts.items() if k not in found and k not in self._in_flight}
        for part in _batches(missing, asked.backend.texts_per_call):
            # A task of its own: what is asked for will be paid for, so it is stored even when
            # every waiter was cancelled.
            call = asyncio.get_running_loop().create_task(self._buy(part, asked))
            self._in_flight.update(dict.fromkeys(part, call))
            call.add_done_callback(partial(self._end, part))
        calls = dict.fromkeys(self._in_flight[key] for key in texts if key not in found)
        for made in await asyncio.gather(*map(asyncio.shield, calls)):
            found.update(made)
        return [found[_key(start, text)] for text in asked.texts]

    async def close(self) -> None:
        """Cancel the calls in flight."""
        calls = set(self._in_flight.values())
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    async def _buy(
        self, texts: Mapping[bytes, str], asked: EmbeddingRequest
    ) -> dict[bytes, Embedding]:
        bought = await asked.backend.embed(list(texts.values()), priority=asked.priority)
        asked.bought += embedding_usage(bought, asked.price)
        made = dict(zip(texts, bought, strict=True))
        if self._cache:
            self._cache.put_embeddings(made)
        return made

    def _end(self, part: Mapping[bytes, str], call: asyncio.Task[dict[bytes, Embedding]]) -> None:
        for key in part:
            del self._in_flight[key]
        if not call.cancelled():
            call.exception()  # waiters raise it; without any, it is not worth a warning


def _key(start: "hashlib._Hash", text: str) -> bytes:
    digest = start.copy()
    digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.digest()


def _batches(texts: Mapping[bytes, str], size: int) -> Iterator[dict[bytes, str]]:
    items = list(texts.items())
    for start in range(0, len(items), size):
        yield dict(items[start : start + size])
