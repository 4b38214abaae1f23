"""Which server takes the next call, which waiting call goes first, and when a server is dead."""

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from time import monotonic

from synthmill.models.concurrency import AdaptiveLimit, LatencyTracker, RatePacer
from synthmill.models.errors import TIMED_OUT, RateLimited, ServerUnavailable, TransientError
from synthmill.models.retry import TIMEOUT_GROWTH, rate_headers

FAILURES_TO_OPEN = 10  # failures in a row, with no answer between, that count as dead
# Likewise refusals for rate that hold up every call of the server, if they also last for longer
# than answers need: of calls that start together, the refused ones end first.
REFUSALS_TO_PAUSE, SHORTEST_REFUSING = 10, 1.0
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 15.0  # seconds between two probes of a dead server
UNKNOWN_LATENCY = 0.25  # seconds that a refused call keeps its place, before any is answered
RECENT_CALLS, FEWEST_FAILURES = 100, 5  # what the status looks at, and keeps silent below
TICK_SECONDS = 0.1  # how often calls are compared with their time limits


class CircuitBreaker:
    """Whether a server is alive: one that fails again and again is dead, and gets single probes."""

    def __init__(self) -> None:
        self.failing_since: float | None = None
        self.last_failure = ""
        self.is_open = False
        self.probing = False
        self.failures = 0  # in a row
        self._probes = 0

    def answered(self) -> None:
        """The server lives."""
        self.failing_since = None
        self.is_open = False
        self.failures = self._probes = 0

    def note(self, now: float, failure: str) -> None:
        """Keep what went wrong, and since when nothing else happened."""
        self.last_failure = failure
        if self.failing_since is None:
            self.failing_since = now

    def failed(self, now: float, failure: TransientError, *, probe: bool) -> float:
        """A call failed; returns the seconds until the server is tried again, 0 while it lives."""
        self.note(now, str(failure))
        self.failures += 1
        opens = not self.is_open and (failure.absent or self.failures >= FAILURES_TO_OPEN)
        if not (opens or probe):
            return 0.0
        self.is_open = True
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0**self._probes)
        self._probes += 1
        return pause


class Endpoint:
    """The state of one server."""

    def __init__(self, url: str, ceiling: int, pacer: RatePacer) -> None:
        self.url = url
        self.limit = AdaptiveLimit(ceiling)
        self.breaker = CircuitBreaker()
        self.pacer = pacer
        self.latencies: dict[str, LatencyTracker] = {}
        self.busy = 0
        self.resumes_at = 0.0
        self.death: str | None = None  # why it will not come back
        self.refusals = 0  # in a row
        self.last_answer = 0.0

    def ready(self, now: float) -> bool:
        """Whether a call may start."""
        breaker = self.breaker
        free = not breaker.probing if breaker.is_open else self.busy < self.limit.value
        return free and self.death is None and self.starts_at(now) <= now

    def starts_at(self, now: float) -> float:
        """The earliest moment for the next call, were there a place."""
        return max(self.resumes_at, self.pacer.ready_at(now))

    def latency(self, kind: str) -> LatencyTracker:
        """Latencies of the calls of one kind."""
        tracker = self.latencies.get(kind)
        if tracker is None:
            tracker = self.latencies[kind] = LatencyTracker()
        return tracker

    def status(self, now: float) -> str | None:
        """What holds up calls, and when it is tried again; None when nothing does."""
        if self.death is not None:
            return self.death.splitlines()[0]
        waits = now < self.resumes_at
        if self.breaker.failing_since is None or not (self.breaker.is_open or waits):
            return None
        wait = f"next try in {self.resumes_at - now:.0f} s" if waits else "trying"
        return f"{self.describe(now)}, {wait}"

    def describe(self, now: float) -> str:
        """What is wrong, since when and why."""
        if self.death is not None:
            return self.death
        breaker = self.breaker
        since = now if breaker.failing_since is None else breaker.failing_since
        state = "dead" if breaker.is_open else "failing"
        return f"{self.url} {state} for {now - since:.0f} s ({breaker.last_failure})"


@dataclass(slots=True, eq=False)
class Place:
    """A place at an endpoint, held while a call is under way.

    `kind` groups calls of like length, `tries` counts those of this call that timed out.
    """

    endpoint: Endpoint
    kind: str
    timeouts: int
    started: float
    epoch: int
    probe: bool
    task: "asyncio.Task[object] | None" = None
    expired: bool = False
    hold: float = 0.0
    tokens: int | None = None
    outcome: str = "failed"

    def ended_by_limit(self) -> bool:
        """Whether the cancellation that has just reached the call's task was its time limit."""
        return self.expired and self.task is not None and self.task.uncancel() == 0


@dataclass(slots=True)
class _Waiting:
    place: "asyncio.Future[Place]"
    avoid: Endpoint | None
    kind: str
    timeouts: int


class EndpointPool:
    """Gives calls a place at the least loaded endpoint; the lowest priority goes first.

    When every endpoint has been failing for `give_up_after` seconds, waiting calls fail. No call
    takes longer than `longest` seconds, and most have a shorter limit: see `LatencyTracker`.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], *, give_up_after: float, longest: float
    ) -> None:
        self.endpoints = endpoints
        self.last_answer = 0.0
        self._give_up_after = give_up_after
        self._longest = longest
        self._waiting: list[tuple[int, int, _Waiting]] = []  # a heap, by priority and arrival
        self._numbers = count()
        self._recent: deque[TransientError | None] = deque(maxlen=RECENT_CALLS)
        self._held: set[Place] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._ticker: asyncio.TimerHandle | None = None

    async def enter(
        self, kind: str, *, priority: int = 0, timeouts: int = 0, avoid: Endpoint | None = None
    ) -> Place:
        """A place, if possible not at `avoid` (where this call has just failed); `leave` it later.

        A call that exceeds its time limit is cancelled: see `Place.ended_by_limit`.

        Raises:
            ServerUnavailable: all endpoints have been failing for too long.
        """
        place = None if self._waiting else self._take(avoid, kind, timeouts)
        if place is None:
            future: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
            waiting = _Waiting(future, avoid, kind, timeouts)
            heapq.heappush(self._waiting, (priority, next(self._numbers), waiting))
            self._serve()
            try:
                place = await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled() and future.exception() is None:
                    self.leave(future.result())
                raise
        place.task = asyncio.current_task()
        return place

    def leave(self, place: Place) -> None:
        """Give a place back; a refused call keeps it for as long as an answer would take.

        So refusals, which come at once, do not raise the rate of calls.
        """
        self._held.discard(place)
        if place.hold > 0:
            asyncio.get_running_loop().call_later(place.hold, self._release, place)
        else:
            self._release(place)

    def answered(self, place: Place, tokens: int, headers: Mapping[str, str]) -> None:
        """The call was answered, and took so many tokens."""
        now = self.last_answer = monotonic()
        self._recent.append(None)
        endpoint = place.endpoint
        endpoint.breaker.answered()
        endpoint.refusals = 0
        endpoint.last_answer = now
        endpoint.latency(place.kind).add(now - place.started, answered=True)
        place.outcome, place.tokens = "answered", tokens
        pause = endpoint.pacer.pause_of(rate_headers(headers))
        if pause > 0:
            endpoint.resumes_at = max(endpoint.resumes_at, now + pause)

    def refused(self, place: Place, error: RateLimited, wait: float) -> None:
        """The server said that it was too much, and the call comes back after `wait` seconds."""
        now = monotonic()
        endpoint = place.endpoint
        endpoint.breaker.note(now, str(error))
        endpoint.refusals += 1
        self._recent.append(error)
        place.outcome = "refused"
        latency = endpoint.latency(place.kind).mean or UNKNOWN_LATENCY
        place.hold = min(wait, latency)
        pause = endpoint.pacer.pause_of(rate_headers(error.headers))
        # A refusal among answers is that call's own; refusals only, or a long wait, are all's.
        silent = now - endpoint.last_answer > max(SHORTEST_REFUSING, 2 * latency)
        if (silent and endpoint.refusals >= REFUSALS_TO_PAUSE) or wait > self._give_up_after:
            pause = max(pause, wait)
        endpoint.resumes_at = max(endpoint.resumes_at, now + pause)

    def failed(self, place: Place, error: TransientError) -> None:
        """The call failed in another way."""
        now = monotonic()
        endpoint = place.endpoint
        if not error.absent:
            self._recent.append(error)
        if error.kind == TIMED_OUT:
            endpoint.latency(place.kind).add(now - place.started, answered=False)
        pause = endpoint.breaker.failed(now, error, probe=place.probe)
        if pause:
            endpoint.resumes_at = now + pause

    def check_deadline(self) -> None:
        """For a call that has just failed.

        Raises:
            ServerUnavailable: all endpoints have been failing for too long.
        """
        deadline = self._deadline()
        if deadline is not None and monotonic() >= deadline:
            raise ServerUnavailable(self._hopeless())

    def mark_dead(self, endpoint: Endpoint, reason: str) -> None:
        """Give an endpoint up for good; with the last one, all waiting calls fail."""
        endpoint.death = reason
        self._serve()

    def close(self) -> None:
        """Stop the timers."""
        for timer in (self._timer, self._ticker):
            if timer is not None:
                timer.cancel()

    def status(self) -> str | None:
        """One line when endpoints are dead or ask us to wait, or many calls fail; else None."""
        now = monotonic()
        lines = [line for endpoint in self.endpoints if (line := endpoint.status(now))]
        if not lines:
            return self._failing()
        alive = len(self.endpoints) - len(lines)
        state = f"{alive} of {len(self.endpoints)} endpoints left" if alive else "paused"
        return f"{state}: {', '.join(lines)}"

    def _failing(self) -> str | None:
        """Which share of the last calls failed, and how."""
        failed = [error for error in self._recent if error is not None]
        if len(failed) < FEWEST_FAILURES:
            return None
        kinds = Counter(error.kind for error in failed).most_common()
        words = {error.kind: error for error in failed}
        listed = ", ".join(f"{count} {words[kind]}" for kind, count in kinds)
        return f"of the last {len(self._recent)} calls failed: {listed}"

    def _take(self, avoid: Endpoint | None, kind: str, timeouts: int) -> Place | None:
        now = monotonic()
        ready = [endpoint for endpoint in self.endpoints if endpoint.ready(now)]
        if not ready:
            return None
        best = ready[0]
        if len(ready) > 1:
            best = min(ready, key=lambda e: (e is avoid, e.breaker.is_open, e.busy / e.limit.value))
        best.busy += 1
        best.breaker.probing = probe = best.breaker.is_open
        best.pacer.start(now)
        place = Place(best, kind, timeouts, now, best.limit.epoch, probe)
        self._held.add(place)
        if self._ticker is None:
            self._tick()
        return place

    def _release(self, place: Place) -> None:
        endpoint = place.endpoint
        endpoint.limit.finished(
            monotonic(),
            place.epoch,
            place.started,
            endpoint.busy,
            answered=place.outcome == "answered",
            refused=place.outcome == "refused",
        )
        endpoint.pacer.finish(place.tokens)
        endpoint.busy -= 1
        if place.probe:
            endpoint.breaker.probing = False
        if self._waiting:
            self._serve()

    def _serve(self) -> None:
        """Give places to waiting calls, and set the timer for what only time brings."""
        while self._waiting:
            first = self._waiting[0][2]
            if not first.place.done():
                place = self._take(first.avoid, first.kind, first.timeouts)
                if place is None:
                    break
                first.place.set_result(place)
            heapq.heappop(self._waiting)
        if self._waiting:
            self._watch()

    def _watch(self) -> None:
        now = monotonic()
        deadline = self._deadline()
        if deadline is not None and now >= deadline:
            for _, _, waiting in self._waiting:
                if not waiting.place.done():
                    waiting.place.set_exception(ServerUnavailable(self._hopeless()))
            self._waiting.clear()
            return
        moments = [moment for e in self.endpoints if (moment := e.starts_at(now)) > now]
        if deadline is not None:
            moments.append(deadline)
        if self._timer is not None:
            self._timer.cancel()
        if moments:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(moments) - now + 0.001, self._serve)

    def _tick(self) -> None:
        """End the calls that take much longer than others of their kind."""
        now = monotonic()
        limits: dict[LatencyTracker, float] = {}
        for place in self._held:
            tracker = place.endpoint.latency(place.kind)
            if tracker not in limits:
                limits[tracker] = tracker.time_limit() or self._longest
            limit = min(limits[tracker] * TIMEOUT_GROWTH**place.timeouts, self._longest)
            if now - place.started > limit and place.task and not place.expired:
                place.expired = True
                place.task.cancel()
        loop = asyncio.get_running_loop()
        self._ticker = loop.call_later(TICK_SECONDS, self._tick) if self._held else None

    def _deadline(self) -> float | None:
        """When waiting ends; None while any endpoint answers."""
        latest = -self._give_up_after
        for endpoint in self.endpoints:
            if endpoint.death is not None:
                continue
            if endpoint.breaker.failing_since is None:
                return None
            latest = max(latest, endpoint.breaker.failing_since)
        return latest + self._give_up_after

    def _hopeless(self) -> str:
        now = monotonic()
        lines = ", ".join(endpoint.describe(now) for endpoint in self.endpoints)
        if all(endpoint.death is not None for endpoint in self.endpoints):
            return lines
        return f"no model server answered within {self._give_up_after:g} s: {lines}"
