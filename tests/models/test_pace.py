"""How many calls a server gets, in which order, how fast, and how long each may take."""

import asyncio
import time
from typing import Any

import pytest

from synthmill.models.concurrency import AdaptiveLimit, LatencyTracker, RatePacer
from synthmill.models.registry import ModelRegistry
from synthmill.models.retry import RateHeaders, rate_headers
from synthmill.testing import Faults, ScriptedServer
from tests.models.prompts import Say
from tests.models.roles import role


async def timed(models: ModelRegistry, count: int) -> float:
    """Seconds for so many calls, all asked for at once, those of early tasks first."""
    client = models.client()
    began = time.monotonic()
    await asyncio.gather(
        *(client.generate(Say(topic=f"{i}"), seed=i, priority=i) for i in range(count))
    )
    return time.monotonic() - began


async def test_random_refusals_delay_the_refused_calls_alone() -> None:
    """A third of 400 calls is refused: were the limit to fall, or all to wait, it took 10 s."""
    faults = Faults(share=0.3, kinds=("429",), retry_after="0.5")
    with ScriptedServer(faults=faults, latency=0.1) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            assert await timed(models, 400) < 6
            assert models.usage["say"].failures == {"HTTP 429": server.faulted["429"]}


async def test_a_server_that_queues_is_not_overrun() -> None:
    """Two slots, 64 questions: no time-out, next to the server's rate, and a short queue."""
    with ScriptedServer(latency=0.2, slots=2) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            assert await timed(models, 64) < 1.3 * 64 * 0.2 / 2
            assert models.usage["say"].failures == {}


async def test_calls_of_early_tasks_go_first() -> None:
    asked: list[int] = []

    def answer(body: dict[str, Any], seed: int) -> str:
        asked.append(seed)
        return "fine"

    with ScriptedServer(answer, latency=0.02) as server:
        spec = role(server.url, max_concurrency=1)
        async with ModelRegistry({"default": spec}, cache=None) as models:
            client = models.client()
            late_first = reversed(range(20))
            await asyncio.gather(
                *(client.generate(Say(topic="x"), seed=i, priority=i) for i in late_first)
            )
    assert asked[0] == 19  # the first to come found the place empty
    assert asked[1:] == sorted(asked[1:])


async def test_hanging_calls_are_given_up_and_asked_again() -> None:
    """Far earlier than the longest wait for an answer, which is ten minutes."""
    faults = Faults(share=0.1, kinds=("hang",))
    with ScriptedServer(faults=faults, latency=0.05) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            assert await timed(models, 200) < 20
            assert models.usage["say"].failures == {"timed out": server.faulted["hang"]}
            assert server.faulted["hang"] > 5


async def test_the_status_names_what_fails() -> None:
    faults = Faults.mixed({"500": 0.2, "reset": 0.1})
    with ScriptedServer(faults=faults) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            await timed(models, 100)
            status = models.status() or ""
    assert "calls failed:" in status
    assert "HTTP 500: the engine stumbled" in status
    assert "connection reset" in status


async def test_calls_keep_below_a_given_rate() -> None:
    with ScriptedServer() as server:
        spec = role(server.url, requests_per_minute=600)
        async with ModelRegistry({"default": spec}, cache=None) as models:
            # Three seconds' worth at once, the others at ten per second.
            assert 0.8 < await timed(models, 40) < 3


async def test_tokens_keep_below_a_given_rate() -> None:
    with ScriptedServer(latency=0.01) as server:
        spec = role(server.url, tokens_per_minute=6000, max_concurrency=4)
        async with ModelRegistry({"default": spec}, cache=None) as models:
            seconds = await timed(models, 40)
            tokens = models.usage["say"].bought.tokens
    assert seconds > (tokens - 6000 / 60 * (RatePacer.BURST_SECONDS + 1)) / 100


class Simulation:
    """Calls of a server with some places, which queues the others, or refuses them."""

    def __init__(self, places: int, seconds: float, *, refuses: bool = False) -> None:
        self.limit = AdaptiveLimit(256)
        self._places, self._seconds, self._refuses = places, seconds, refuses

    def run(self, rounds: int) -> int:
        now = 0.0
        for _ in range(rounds):
            busy, epoch = self.limit.value, self.limit.epoch
            taken = self._seconds if self._refuses else self._seconds * max(1, busy / self._places)
            for call in range(busy):
                refused = self._refuses and call >= self._places
                self.limit.finished(
                    now + taken, epoch, now, busy, answered=not refused, refused=refused
                )
            now += taken
        return self.limit.value


@pytest.mark.parametrize("places", [2, 10, 60])
@pytest.mark.parametrize("refuses", [False, True])
def test_the_limit_settles_near_the_places_of_a_server(places: int, refuses: bool) -> None:
    assert 0.6 * places <= Simulation(places, 2.0, refuses=refuses).run(400) <= 2 * places + 1


def test_the_limit_grows_to_its_ceiling_where_throughput_grows() -> None:
    assert Simulation(10_000, 2.0).run(30) == 256


def test_a_time_limit_follows_the_latencies_seen() -> None:
    tracker = LatencyTracker()
    for _ in range(9):
        tracker.add(2.0, answered=True)
    assert tracker.time_limit() is None
    tracker.add(2.0, answered=True)
    assert tracker.time_limit() == 8
    for _ in range(5):  # some hang: nothing changes
        tracker.add(8.0, answered=False)
    assert tracker.time_limit() == 8
    for _ in range(60):  # most take longer: the server has become slower
        tracker.add(8.0, answered=False)
    assert tracker.time_limit() == 32


NOW = 1_900_000_000.0


@pytest.mark.parametrize(
    ("headers", "kind", "reset"),
    [
        ({"x-ratelimit-%s-requests": "1s"}, "requests", 1.0),
        ({"x-ratelimit-%s-tokens": "6m0s"}, "tokens", 360.0),
        ({"x-ratelimit-%s-requests": "20ms"}, "requests", 0.02),
        ({"x-ratelimit-%s": "1900000030"}, "requests", 30.0),
        ({"anthropic-ratelimit-tokens-%s": "2030-03-17T17:47:10Z"}, "tokens", 30.0),
    ],
)
def test_rate_limit_headers_are_read(
    headers: dict[str, str], kind: str, reset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: NOW)
    ((pattern, told),) = headers.items()
    given = {pattern % "limit": "60", pattern % "remaining": "0", pattern % "reset": told}
    assert rate_headers(given) == {kind: RateHeaders(60, 0, pytest.approx(reset))}
    assert rate_headers({**given, pattern % "remaining": "few"}) == {}


def test_an_exhausted_limit_spaces_calls_at_the_rate_that_it_refills() -> None:
    pacer = RatePacer()
    assert pacer.pause_of({"requests": RateHeaders(60, 0, 60.0)}) == 1.0
    assert pacer.pause_of({"requests": RateHeaders(60, 1, 59.0)}) == 0.0
    pacer.finish(1000)
    assert pacer.pause_of({"tokens": RateHeaders(6000, 0, 60.0)}) == 10.0
