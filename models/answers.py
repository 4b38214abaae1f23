"""Completions, each bought once: from the cache, from a call in flight, or from a back end."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

from models.backends.base import Backend
from models.cache import ResponseCache, sample_keys
from models.prompt import Prompt
from models.usage import Stage
from models.wire import Completion, Request
from schemas.recipe import Price

Flight = asyncio.Future[Completion]


class Answers:
    """Answers requests, and sees to it that no sample is ever paid for twice."""

    def __init__(self, cache: ResponseCache | None) -> None:
        self._cache = cache
        self._flights: dict[bytes, Flight] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def obtain(
        self, backend: Backend, request: Request, prompt: Prompt[Any], stage: Stage, price: Price
    ) -> list[Completion]:
        """All `request.n` completions in sample order; what is bought is booked on `stage`.

        Raises:
            Unavailable, Refused: as the back end does.
        """
        keys = sample_keys(backend.model, backend.shape, request)
        held = [self._flights.get(key) or self._stored(key) for key in keys]
        for start, count in _gaps(held, backend.samples_a_call(request)):
            part = request.model_copy(update={"first": request.first + start, "n": count})
            wanted = keys[start : start + count]
            held[start : start + count] = self._launch(backend, part, prompt, wanted, stage, price)
        # Shielded: whoever stops waiting does not spoil the call for others, and its answer,
        # which is paid for, is still stored.
        return [h if isinstance(h, Completion) else await asyncio.shield(h) for h in held if h]

    async def close(self) -> None:
        """Give up the calls in flight."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        for flight in self._flights.values():  # of calls that never got to start
            flight.cancel()

    def _stored(self, key: bytes) -> Completion | None:
        return self._cache.get(key) if self._cache else None

    def _launch(
        self,
        backend: Backend,
        request: Request,
        prompt: Prompt[Any],
        keys: Sequence[bytes],
        stage: Stage,
        price: Price,
    ) -> list[Flight]:
        loop = asyncio.get_running_loop()
        flights: dict[bytes, Flight] = {key: loop.create_future() for key in keys}
        self._flights.update(flights)
        call = loop.create_task(self._buy(backend, request, prompt, flights, stage, price))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return list(flights.values())

    async def _buy(
        self,
        backend: Backend,
        request: Request,
        prompt: Prompt[Any],
        flights: dict[bytes, Flight],
        stage: Stage,
        price: Price,
    ) -> None:
        missing = list(flights)
        end = request.first + request.n
        try:
            while missing:
                left = {"first": end - len(missing), "n": len(missing)}
                bought = await backend.complete(request.model_copy(update=left), prompt)
                stage.pay(bought, price)
                for key, completion in zip(missing, await self._store(missing, bought)):  # noqa: B905
                    flights[key].set_result(completion)
                del missing[: len(bought)]
        except asyncio.CancelledError:
            for key in missing:
                flights[key].cancel()
            raise
        except Exception as error:
            for key in missing:
                flights[key].set_exception(error)
                flights[key].exception()  # marks it as seen: there may be nobody left to wait
        finally:
            for key in flights:
                self._flights.pop(key)

    async def _store(
        self, keys: Sequence[bytes], completions: Sequence[Completion]
    ) -> Sequence[Completion]:
        # A rule answers at once and may be improved: a stored answer would only be out of date.
        if self._cache is None or all(completion.by_rule for completion in completions):
            return completions
        return await self._cache.put(list(zip(keys, completions)))  # noqa: B905


def _gaps(held: Sequence[object], longest: int) -> Iterator[tuple[int, int]]:
    """Start and length of each run of None, in pieces of at most `longest`."""
    start = 0
    while start < len(held):
        length = 0
        while length < longest and start + length < len(held) and held[start + length] is None:
            length += 1
        if length:
            yield start, length
        start += max(1, length)
