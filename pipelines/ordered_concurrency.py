"""Concurrent work whose results come back in the order of the input."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Results kept waiting for a slow one, in multiples of the concurrency. Measured: where 6 % of the
# calls hang, 4 leave most places empty while the slowest task ends, 16 do not.
LOOKAHEAD = 16


class OrderedConcurrency:
    """At most `concurrency` calls in progress; results in order; memory bounded.

    When one item is slow, the others go on until `LOOKAHEAD` times `concurrency` are started and
    not yet yielded.
    """

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._wake = asyncio.Event()
        self._busy = 0
        self._stopped = False

    @property
    def in_progress(self) -> int:
        """Calls in progress now."""
        return self._busy

    def stop(self) -> None:
        """End the stream at once; what is in progress is cancelled."""
        self._stopped = True
        self._wake.set()

    async def stream(
        self,
        items: Iterator[T],
        work: Callable[[T], Awaitable[R]],
        may_start: Callable[[], bool],
    ) -> AsyncGenerator[R, None]:
        """Yield ``await work(item)`` for every item, in item order.

        While `may_start()` is false nothing new is started, and the stream ends once nothing is
        in progress. An exception of `work` is raised at its item's turn. Leaving the loop cancels
        what is in progress.
        """
        started: deque[asyncio.Task[R]] = deque()
        try:
            while not self._stopped:
                self._fill(started, items, work, may_start)
                while started and started[0].done() and not self._stopped:
                    yield started.popleft().result()
                    self._fill(started, items, work, may_start)
                if not started or self._stopped:
                    return
                self._wake.clear()
                if not started[0].done():
                    await self._wake.wait()
        finally:
            for task in started:
                task.cancel()
            await asyncio.gather(*started, return_exceptions=True)

    def _fill(
        self,
        started: "deque[asyncio.Task[R]]",
        items: Iterator[T],
        work: Callable[[T], Awaitable[R]],
        may_start: Callable[[], bool],
    ) -> None:
        room = LOOKAHEAD * self._concurrency
        while self._busy < self._concurrency and len(started) < room and may_start():
            try:
                item = next(items)
            except StopIteration:
                return
            self._busy += 1
            started.append(asyncio.create_task(self._one(work, item)))

    async def _one(self, work: Callable[[T], Awaitable[R]], item: T) -> R:
        try:
            return await work(item)
        finally:
            self._busy -= 1
            self._wake.set()
