"""Completions, each bought once: from the cache, from a call in flight, or from a back end."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from synthmill.models.backend import Backend
from synthmill.models.cache import ResponseCache, sample_keys
from synthmill.models.completion import Completion
from synthmill.models.prompt import Prompt
from synthmill.models.request import Request
from synthmill.models.usage import Stage
from synthmill.schemas.recipe import Price


class Flight:
    """A sample that is being bought, and those who wait for it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[Completion]] = []

    def join(self) -> asyncio.Future[Completion]:
        """The completion to come, once it is stored.

        Each waiter has a future of its own: who stops waiting does not spoil it for others.
        """
        waiter: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def land(self, completion: Completion) -> None:
        """Hand the completion to all who wait."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(completion)

    def fail(self, error: BaseException) -> None:
        """Tell all who wait that there will be none."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(error)

    def cancel(self) -> None:
        """Send away all who wait."""
        for waiter in self._waiting:
            waiter.cancel()


@dataclass(slots=True)
class Order:
    """What a call is made for: whom to ask, and on whose account."""

    backend: Backend
    prompt: Prompt[Any]
    stage: Stage
    price: Price
    priority: int = 0


class Answers:
    """Answers requests, and sees to it that no sample is ever paid for twice."""

    def __init__(self, cache: ResponseCache | None) -> None:
        self._cache = cache
        self._flights: dict[bytes, Flight] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def obtain(self, request: Request, order: Order) -> list[Completion]:
        """All `request.n` completions in sample order; what is bought is booked on the stage.

        Raises:
            ServerUnavailable, RequestRejected: as the back end does.
        """
        keys = sample_keys(order.backend.cache_identity(), request)
        held = [self._flights.get(key) or self._stored(key) for key in keys]
        if None in held:
            self._launch(request, order, keys, held)
        flights = [item.join() for item in held if isinstance(item, Flight)]
        # One is awaited directly, which costs a third of gathering it.
        landed = iter([await flights[0]] if len(flights) == 1 else await asyncio.gather(*flights))
        return [next(landed) if isinstance(item, Flight) else item for item in held if item]

    async def close(self) -> None:
        """Give up the calls in flight."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        for flight in self._flights.values():  # of calls that never got to start
            flight.cancel()
        self._flights.clear()

    def _stored(self, key: bytes) -> Completion | None:
        return self._cache.get(key) if self._cache else None

    def _launch(
        self,
        request: Request,
        order: Order,
        keys: Sequence[bytes],
        held: list[Completion | Flight | None],
    ) -> None:
        """Start the calls for what is missing in `held`, and put their flights there."""
        for start, count in _gaps(held, order.backend.samples_a_call(request)):
            flights = {key: Flight() for key in keys[start : start + count]}
            self._flights.update(flights)
            held[start : start + count] = flights.values()
            # A task of its own: what is asked for will be paid for, so it is stored even when
            # nobody waits for it any more.
            part = _part(request, request.first + start, count)
            call = asyncio.get_running_loop().create_task(self._buy(part, order, flights))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _buy(self, request: Request, order: Order, flights: dict[bytes, Flight]) -> None:
        missing = list(flights)
        end = request.first + request.n
        try:
            while missing:
                part = _part(request, end - len(missing), len(missing))
                bought = await order.backend.complete(part, order.prompt)
                order.stage.pay(bought, order.price)
                for key, completion in zip(missing, await self._store(missing, bought)):  # noqa: B905
                    flights.pop(key).land(completion)
                    del self._flights[key]
                del missing[: len(bought)]
        except asyncio.CancelledError:
            for flight in flights.values():
                flight.cancel()
            raise
        except Exception as error:
            for flight in flights.values():
                flight.fail(error)
        finally:
            for key in flights:
                del self._flights[key]

    async def _store(
        self, keys: Sequence[bytes], completions: Sequence[Completion]
    ) -> Sequence[Completion]:
        # A rule answers at once and may be improved: a stored answer would only be out of date.
        if self._cache is None or all(completion.from_rule for completion in completions):
            return completions
        return await self._cache.put(list(zip(keys, completions)))  # noqa: B905


def _part(request: Request, first: int, n: int) -> Request:
    if request.first == first and request.n == n:
        return request
    return request.model_copy(update={"first": first, "n": n})


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
