"""Completions, each bought once: from the cache, from a call in flight, or from a back end."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthmill.models.backend import Backend
from synthmill.models.completion import Completion
from synthmill.models.errors import RequestRejected
from synthmill.models.media import load_media
from synthmill.models.prompt import Prompt
from synthmill.models.request import Request
from synthmill.models.response_cache import ResponseCache, sample_keys
from synthmill.models.usage import call_usage
from synthmill.schemas.messages import is_data_url
from synthmill.schemas.recipe import Price
from synthmill.schemas.usage import Usage


class InFlightRequest:
    """A sample that a back end is asked for, and the tasks that wait for it."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[Completion]] = []

    def wait(self) -> asyncio.Future[Completion]:
        """A future of the completion, done once it is stored.

        Each waiter has its own future, so that one that is cancelled does not affect the others.
        """
        waiter: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def resolve(self, completion: Completion) -> None:
        """Give the completion to all waiters."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(completion)

    def fail(self, error: BaseException) -> None:
        """Raise an error in all waiters."""
        for waiter in self._waiting:
            if not waiter.done():
                waiter.set_exception(error)

    def cancel(self) -> None:
        """Cancel all waiters."""
        for waiter in self._waiting:
            waiter.cancel()


@dataclass(slots=True)
class CompletionRequest:
    """A request with the back end that answers it; what is bought is counted in `bought`."""

    request: Request
    backend: Backend
    prompt: Prompt[Any]
    bought: Usage
    price: Price | None
    priority: int = 0


class CompletionService:
    """Gets completions, and never buys a sample twice.

    `media_dir` is the dataset's folder, where the files are that messages show.
    """

    def __init__(self, cache: ResponseCache | None, media_dir: Path | None = None) -> None:
        self._cache = cache
        self._media_dir = media_dir
        self._in_flight: dict[bytes, InFlightRequest] = {}
        self._calls: set[asyncio.Task[None]] = set()

    async def get(self, asked: CompletionRequest) -> list[Completion]:
        """All `request.n` completions in sample order.

        Raises:
            ServerUnavailable, RequestRejected: as the back end does.
        """
        keys = sample_keys(asked.backend.cache_identity(), asked.request)
        held = [self._in_flight.get(key) or self._stored(key) for key in keys]
        if None in held:
            self._start_calls(asked, keys, held)
        waiters = [item.wait() for item in held if isinstance(item, InFlightRequest)]
        # One is awaited directly, which costs a third of gathering it.
        arrived = iter([await waiters[0]] if len(waiters) == 1 else await asyncio.gather(*waiters))
        return [
            next(arrived) if isinstance(item, InFlightRequest) else item for item in held if item
        ]

    async def close(self) -> None:
        """Cancel the calls in flight."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        for request in self._in_flight.values():  # of calls that never got to start
            request.cancel()
        self._in_flight.clear()

    def _stored(self, key: bytes) -> Completion | None:
        return self._cache.get(key) if self._cache else None

    def _start_calls(
        self,
        asked: CompletionRequest,
        keys: Sequence[bytes],
        held: list[Completion | InFlightRequest | None],
    ) -> None:
        """Start the calls for what is missing in `held`, and put their requests in flight there."""
        request = asked.request
        for start, count in _gaps(held, asked.backend.samples_a_call(request)):
            missing = {key: InFlightRequest() for key in keys[start : start + count]}
            self._in_flight.update(missing)
            held[start : start + count] = missing.values()
            # A task of its own: what is asked for will be paid for, so it is stored even when
            # every waiter was cancelled.
            part = _part(request, request.first + start, count)
            call = asyncio.get_running_loop().create_task(self._buy(part, asked, missing))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _buy(
        self, request: Request, asked: CompletionRequest, in_flight: dict[bytes, InFlightRequest]
    ) -> None:
        missing = list(in_flight)
        end = request.first + request.n
        try:
            request = await self._with_media(request)
            while missing:
                part = _part(request, end - len(missing), len(missing))
                bought = await asked.backend.complete(part, asked.prompt, priority=asked.priority)
                asked.bought += call_usage(bought, asked.price)
                for key, completion in zip(missing, await self._store(missing, bought)):  # noqa: B905
                    in_flight.pop(key).resolve(completion)
                    del self._in_flight[key]
                del missing[: len(bought)]
        except asyncio.CancelledError:
            for waiting in in_flight.values():
                waiting.cancel()
            raise
        except Exception as error:
            for waiting in in_flight.values():
                waiting.fail(error)
        finally:
            for key in in_flight:
                del self._in_flight[key]

    async def _with_media(self, request: Request) -> Request:
        """The request with the files it shows, which the cache knows by their paths alone."""
        paths = (path for message in request.messages for path in message.media_paths)
        stored = next((path for path in paths if not is_data_url(path)), None)
        if stored is None:
            return request
        if self._media_dir is None:
            raise RequestRejected(f"{stored} is a stored file, and no dataset's folder is given")
        try:
            messages = await asyncio.to_thread(load_media, request.messages, self._media_dir)
        except (OSError, ValueError) as error:
            raise RequestRejected(f"an image or video cannot be sent: {error}") from error
        return request.model_copy(update={"messages": messages})

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
