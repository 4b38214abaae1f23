"""Completions, each bought once: from the cache, from a call in flight, or from a back end."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

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
from synthmill.schemas.usage import PromptUsage

T = TypeVar("T")


class InFlightSample:
    """A sample that a back end is asked for by the task `call`, and those that wait for it."""

    __slots__ = ("_waiting", "call")

    call: asyncio.Task[None]

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[Completion]] = []

    def wait(self) -> asyncio.Future[Completion]:
        """A future of the completion, done once it is stored.

        Each waiter has its own future, so that one that is cancelled does not affect the others.
        """
        waiter: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        return waiter

    def settle(self, outcome: Completion | BaseException) -> None:
        """Give the completion to all waiters, or raise the error in them."""
        for waiter in self._waiting:
            if waiter.done():
                continue
            if isinstance(outcome, Completion):
                waiter.set_result(outcome)
            elif isinstance(outcome, asyncio.CancelledError):
                waiter.cancel()
            else:
                waiter.set_exception(outcome)


@dataclass(slots=True)
class CompletionRequest(Generic[T]):
    """A request with the back end that answers it; what is bought is counted in `counts`."""

    request: Request
    backend: Backend
    prompt: Prompt[T]
    counts: PromptUsage
    price: Price | None
    priority: int = 0


class CompletionService:
    """Gets completions, and never buys a sample twice.

    `media_dir` is the dataset's folder, where the files are that messages show.
    """

    def __init__(self, cache: ResponseCache | None, media_dir: Path | None = None) -> None:
        self._cache = cache
        self._media_dir = media_dir
        self._in_flight: dict[bytes, InFlightSample] = {}

    async def get(self, asked: CompletionRequest[T]) -> list[Completion]:
        """All `request.n` completions in sample order.

        Raises:
            ServerUnavailable, RequestRejected: as the back end does.
        """
        keys = sample_keys(asked.backend.cache_identity(), asked.request)
        held = [self._in_flight.get(key) or self._stored(key) for key in keys]
        if None in held:
            self._start_calls(asked, keys, held)
        waiters = [item.wait() for item in held if isinstance(item, InFlightSample)]
        if not waiters:
            await asyncio.sleep(0)  # a replay leaves time to others
        # One is awaited directly, which costs a third of gathering it.
        arrived = [await waiters[0]] if len(waiters) == 1 else await asyncio.gather(*waiters)
        if len(arrived) == len(held):
            return arrived
        rest = iter(arrived)
        return [next(rest) if isinstance(item, InFlightSample) else item for item in held if item]

    async def close(self) -> None:
        """Cancel the calls in flight."""
        calls = {sample.call for sample in self._in_flight.values()}
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        for key in list(self._in_flight):  # of calls that never got to start
            self._settle(key, asyncio.CancelledError())

    def _stored(self, key: bytes) -> Completion | None:
        return self._cache.get(key) if self._cache else None

    def _settle(self, key: bytes, outcome: Completion | BaseException) -> None:
        if (sample := self._in_flight.pop(key, None)) is not None:
            sample.settle(outcome)

    def _start_calls(
        self,
        asked: CompletionRequest[T],
        keys: Sequence[bytes],
        held: list[Completion | InFlightSample | None],
    ) -> None:
        """Start the calls for what is missing in `held`, and put their samples in flight there."""
        request = asked.request
        for start, count in _gaps(held, asked.backend.samples_a_call(request)):
            missing = keys[start : start + count]
            # A task of its own: what is asked for will be paid for, so it is stored even when
            # every waiter was cancelled.
            call = asyncio.get_running_loop().create_task(
                self._buy(_part(request, request.first + start, count), asked, missing)
            )
            for index, key in enumerate(missing, start):
                held[index] = sample = self._in_flight[key] = InFlightSample()
                sample.call = call

    async def _buy(
        self, request: Request, asked: CompletionRequest[T], missing: Sequence[bytes]
    ) -> None:
        end = request.first + request.n
        try:
            for message in request.messages:
                if message.media_paths:
                    request = await self._with_media(request)
                    break
            while missing:
                part = _part(request, end - len(missing), len(missing))
                bought = await asked.backend.complete(part, asked.prompt, priority=asked.priority)
                asked.counts.bought += call_usage(bought, asked.price)
                arrived, missing = missing[: len(bought)], missing[len(bought) :]
                for key, completion in zip(arrived, bought, strict=True):
                    # A rule answers at once and may be improved: a stored answer would only be out
                    # of date.
                    if self._cache is None or completion.from_rule:
                        self._settle(key, completion)
                    else:
                        self._cache.put(key, completion, self._settle)
        except BaseException as error:
            for key in missing:
                self._settle(key, error)
            if not isinstance(error, Exception):
                raise

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
        return request._replace(messages=messages)


def _part(request: Request, first: int, n: int) -> Request:
    if request.first == first and request.n == n:
        return request
    return request._replace(first=first, n=n)


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
