"""Which endpoint takes the next call, and who waits for how long."""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

from synthmill.models.endpoint import Endpoint
from synthmill.models.errors import ServerUnavailable


@dataclass(slots=True)
class Slot:
    """A place at an endpoint, held while a call is under way."""

    endpoint: Endpoint
    started: float
    probe: bool


class Balancer:
    """Gives calls a place at the least loaded endpoint, first come, first served.

    When every endpoint has been failing for `give_up_after_seconds`, waiting calls fail.
    """

    def __init__(self, endpoints: Sequence[Endpoint], give_up_after_seconds: float) -> None:
        self.endpoints = endpoints
        self.last_answer = 0.0
        self._give_up_after_seconds = give_up_after_seconds
        self._waiting: deque[tuple[asyncio.Future[Slot], Endpoint | None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, avoid: Endpoint | None = None) -> Slot:
        """A place, if possible not at `avoid` (where this call has just failed); `leave` it later.

        Raises:
            ServerUnavailable: all endpoints have been failing for too long.
        """
        slot = None if self._waiting else self._take(avoid)
        return slot or await self._wait(avoid)

    def leave(self, slot: Slot) -> None:
        """Give a place back."""
        slot.endpoint.leave(slot.probe)
        if self._waiting:
            self._serve()

    def answered(self, slot: Slot) -> None:
        """Say that the call in `slot` was answered."""
        self.last_answer = monotonic()
        slot.endpoint.answered(self.last_answer, slot.started)

    def check_deadline(self) -> None:
        """For a call that has just failed.

        Raises:
            ServerUnavailable: all endpoints have been failing for too long.
        """
        deadline = self._deadline()
        if deadline is not None and monotonic() >= deadline:
            raise ServerUnavailable(self._hopeless())

    def bury(self, endpoint: Endpoint, epitaph: str) -> None:
        """Give an endpoint up for good; with the last one, all who wait are sent away."""
        endpoint.epitaph = epitaph
        self._serve()

    def close(self) -> None:
        """Stop the clock."""
        if self._timer:
            self._timer.cancel()

    def status(self) -> str | None:
        """One line when endpoints are dead or told us to wait, else None."""
        now = monotonic()
        lines = [line for endpoint in self.endpoints if (line := endpoint.status(now))]
        if not lines:
            return None
        alive = len(self.endpoints) - len(lines)
        state = f"{alive} of {len(self.endpoints)} endpoints left" if alive else "paused"
        return f"{state}: {', '.join(lines)}"

    async def _wait(self, avoid: Endpoint | None) -> Slot:
        place: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        self._waiting.append((place, avoid))
        self._serve()
        try:
            return await place
        except asyncio.CancelledError:
            if place.done() and not place.cancelled() and place.exception() is None:
                self.leave(place.result())
            raise

    def _take(self, avoid: Endpoint | None) -> Slot | None:
        now = monotonic()
        ready = [endpoint for endpoint in self.endpoints if endpoint.ready(now)]
        if not ready:
            return None
        best = ready[0]
        if len(ready) > 1:
            best = min(ready, key=lambda e: (e is avoid, e.broken, e.load))
        return Slot(best, now, best.start())

    def _serve(self) -> None:
        """Give places to those who wait, and set the clock for what only time brings."""
        while self._waiting:
            place, avoid = self._waiting[0]
            if not place.done():
                slot = self._take(avoid)
                if slot is None:
                    break
                place.set_result(slot)
            self._waiting.popleft()
        if self._waiting:
            self._watch()

    def _watch(self) -> None:
        now = monotonic()
        deadline = self._deadline()
        if deadline is not None and now >= deadline:
            self._give_up()
            return
        moments = [e.resumes_at for e in self.endpoints if e.resumes_at > now]
        if deadline is not None:
            moments.append(deadline)
        if self._timer:
            self._timer.cancel()
        if moments:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(moments) - now + 0.001, self._serve)

    def _deadline(self) -> float | None:
        """When patience ends; None while any endpoint answers."""
        latest = -self._give_up_after_seconds
        for endpoint in self.endpoints:
            if endpoint.epitaph:
                continue
            if endpoint.failing_since is None:
                return None
            latest = max(latest, endpoint.failing_since)
        return latest + self._give_up_after_seconds

    def _give_up(self) -> None:
        while self._waiting:
            place, _ = self._waiting.popleft()
            if not place.done():
                place.set_exception(ServerUnavailable(self._hopeless()))

    def _hopeless(self) -> str:
        now = monotonic()
        lines = ", ".join(endpoint.describe(now) for endpoint in self.endpoints)
        if all(endpoint.epitaph for endpoint in self.endpoints):
            return lines
        return f"no model server answered within {self._give_up_after_seconds:g} s: {lines}"
