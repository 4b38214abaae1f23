"""How many calls a server gets at once, how fast, and how long each may take.

Time is a monotonic clock's, in seconds, and always handed in. All constants are ours: chosen on
the faulty servers of `benchmarks/faulty_servers`.
"""

from collections import deque
from dataclasses import dataclass, field

from synthmill.models.retry import RateHeaders

START = 8  # calls at once before anything is known of a server
WINDOW_CALLS, WINDOW_SECONDS = 16, 0.1  # what a limit is judged by, at least
QUEUE_SECONDS = 1.0  # shorter latencies are not worth a lower limit
GAIN = 0.2  # share of a limit's growth that throughput must grow by
LOSS = 0.05  # share of throughput that a lower limit may cost
STEP_UP, STEP_DOWN = 1.5, 0.7
LONGEST_WAIT = 32  # windows between two probes that changed nothing
REFUSALS_RISE = 0.15  # of the refused share, that shows a limit to be too high

LATENCIES = 64  # answers that time limits are drawn from
FEWEST_LATENCIES = 10
LATENCY_FACTOR = 4.0  # a call that takes so many times what others take is given up
SHORTEST_LIMIT = 1.0  # seconds


@dataclass(slots=True)
class _Window:
    """What the calls under one limit did."""

    began: float
    calls: int = 0
    answers: int = 0
    refused: int = 0
    load: int = 0
    seconds: float = 0.0
    fastest: float = float("inf")

    @property
    def is_quick(self) -> bool:
        """Whether calls took so little time that a queue at the server would not matter."""
        return self.seconds < QUEUE_SECONDS * self.calls

    @property
    def refused_share(self) -> float:
        """Share of the calls that the server refused for rate."""
        return self.refused / self.calls

    @property
    def throughput(self) -> float:
        """Answers per second, by Little's law: calls at once over the seconds that one takes."""
        return self.load / self.calls * self.answers / max(self.seconds, 1e-9)


class AdaptiveLimit:
    """A limit of calls at once that follows throughput.

    It doubles, or more where calls are quick, while throughput grows with it. From then on it is
    probed: up by half, which must bring more answers per second, and down (by the refused share,
    else by a third), which must not cost any. Random failures and refusals are the same at every
    limit, so they do not move it; a server that queues or refuses what exceeds its places is left
    with little more than those. Probes that change nothing become rare. A limit that is not in
    use is not judged.
    """

    def __init__(self, ceiling: int) -> None:
        self.ceiling = ceiling
        self.value = min(START, ceiling)
        self.epoch = 0  # calls of earlier epochs say nothing of this limit
        self._window = _Window(0.0)
        self._ramping = True
        self._ramped_from = self.value
        self._settling = False
        self._before: int | None = None  # the limit that a probe started from
        self._throughput: float | None = None
        self._refused_share = 1.0
        self._up = True
        self._waited, self._wait = 0, 1

    def finished(
        self, now: float, epoch: int, began: float, busy: int, *, answered: bool, refused: bool
    ) -> None:
        """Count a call of an epoch that began at `began` and ends as one of `busy` calls."""
        seconds = now - began
        if epoch != self.epoch:
            return
        if self._settling:
            self._restart(settle=False)
            return
        window = self._window
        if not window.calls:
            window.began = began
        window.calls += 1
        window.answers += answered
        window.refused += refused
        window.load += busy
        window.seconds += seconds
        if answered:
            window.fastest = min(window.fastest, seconds)
        # The first window decides nothing.
        fewest = WINDOW_CALLS if self._throughput is not None else 0
        enough = window.calls >= max(self.value, fewest)
        if enough and now - window.began >= WINDOW_SECONDS:
            self._judge(window)

    def _judge(self, window: _Window) -> None:
        if window.load < 0.8 * self.value * window.calls:  # not in use
            self._set(self._before or self.value)
        elif self._ramping:
            self._ramp(window)
        elif self._before is None:
            self._keep(window)
            self._waited += 1
            if self._waited >= self._wait:
                self._probe(window)
            else:
                self._restart(settle=False)
        else:
            self._settle_probe(window, self._before)

    def _ramp(self, window: _Window) -> None:
        grows = self._throughput is None or self._is_better(window, self._ramped_from)
        if grows and self.value < self.ceiling:
            self._keep(window)
            self._ramped_from = self.value
            factor = 4 if window.is_quick else 2
            self._set(min(self.ceiling, factor * self.value), settle=False)
            return
        self._ramping = False
        self._up = False
        if grows:
            self._keep(window)
            self._probe(window)
        elif window.refused:
            self._set(max(self._ramped_from, int(self._lower(window))))
        else:
            self._set(self._ramped_from)

    def _keep(self, window: _Window) -> None:
        self._throughput, self._refused_share = window.throughput, window.refused_share

    def _is_better(self, window: _Window, before: int) -> bool:
        """Whether this limit is to be preferred to the one before."""
        growth = self.value / before - 1
        factor = 1 - LOSS
        if growth > 0:
            factor = 1 - GAIN if window.is_quick else 1 + GAIN * growth
        answers = window.throughput >= (self._throughput or 0.0) * factor
        return answers and window.refused_share <= self._refused_share + REFUSALS_RISE

    def _probe(self, window: _Window) -> None:
        """Try another limit, if there is one in the direction whose turn it is."""
        lower = self.value
        if window.refused or not window.is_quick:
            lower = max(1, min(self.value - 1, int(self._lower(window))))
        higher = min(self.ceiling, max(self.value + 1, int(self.value * STEP_UP)))
        if (higher if self._up else lower) == self.value:
            self._up = not self._up
        limit = higher if self._up else lower
        self._waited = 0
        before = self.value
        self._set(limit)
        if limit != before:
            self._before = before

    def _lower(self, window: _Window) -> float:
        if window.refused:
            return self.value * (1 - window.refused_share)
        # Calls that all take as long as the fastest would fit in so many places.
        places = 1.5 * self.value * window.fastest * window.calls / window.seconds
        return places if self._wait == 1 else self.value * STEP_DOWN

    def _settle_probe(self, window: _Window, before: int) -> None:
        if self._is_better(window, before):
            self._keep(window)
            self._wait = 2
            self._probe(window)
            return
        self._up = not self._up
        self._wait = min(2 * self._wait, LONGEST_WAIT)
        self._set(before)

    def _set(self, limit: int, *, settle: bool = True) -> None:
        self.value = limit
        self._before = None
        self._restart(settle=settle)

    def _restart(self, *, settle: bool) -> None:
        """Begin a window; first wait, if told to, until a call under this limit has finished."""
        self.epoch += 1
        self._window = _Window(0.0)
        self._settling = settle


class LatencyTracker:
    """How long calls of one prompt take at one server, and so how long one may take.

    A call is given up at `LATENCY_FACTOR` times what nine of ten answers needed. Where more than
    half of all calls end so, the server has become slower, and the limit follows it.
    """

    def __init__(self) -> None:
        self._answered: deque[float] = deque(maxlen=LATENCIES)
        self._all: deque[float] = deque(maxlen=LATENCIES)

    def add(self, seconds: float, *, answered: bool) -> None:
        """Count a call that was answered, or given up, after `seconds`."""
        self._all.append(seconds)
        if answered:
            self._answered.append(seconds)

    @property
    def mean(self) -> float | None:
        """Mean seconds to an answer; None before the first."""
        return sum(self._answered) / len(self._answered) if self._answered else None

    def time_limit(self) -> float | None:
        """Seconds that a call may take; None while too little is known."""
        if len(self._answered) < FEWEST_LATENCIES:
            return None
        slow = sorted(self._answered)[int(0.9 * len(self._answered))]
        median = sorted(self._all)[len(self._all) // 2]
        return max(SHORTEST_LIMIT, LATENCY_FACTOR * max(slow, median))


@dataclass(slots=True)
class RatePacer:
    """Keeps calls and tokens below a server's rates per minute; None is no bound.

    Both may come in bursts of `BURST_SECONDS`. Tokens of a call are known when it is answered;
    until then the mean of earlier calls stands for them. What headers say is obeyed as well.
    """

    BURST_SECONDS = 3.0

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    _next: float = 0.0  # when the next call would start at an even pace
    _tokens: float = field(default=0.0)
    _refilled: float | None = None
    _expected: float = 0.0

    def ready_at(self, now: float) -> float:
        """The earliest moment for the next call."""
        moment = now
        if self.requests_per_minute is not None:
            moment = max(moment, self._next - self.BURST_SECONDS)
        if self.tokens_per_minute is not None:
            self._refill(now, self.tokens_per_minute / 60)
            if self._tokens < 0:
                moment = max(moment, now - self._tokens * 60 / self.tokens_per_minute)
        return moment

    def start(self, now: float) -> None:
        """Count a call that starts."""
        if self.requests_per_minute is not None:
            self._next = max(self._next, now) + 60 / self.requests_per_minute
        self._tokens -= self._expected

    def finish(self, tokens: int | None) -> None:
        """Correct the count of tokens by those that a call took; None when it failed."""
        self._tokens += self._expected - (tokens or 0)
        if tokens is not None:
            share = 0.1 if self._expected else 1.0
            self._expected += share * (tokens - self._expected)

    def pause_of(self, rates: dict[str, RateHeaders]) -> float:
        """Seconds that the next call should wait, by the headers of an answer."""
        pause = 0.0
        if (requests := rates.get("requests")) and requests.remaining < 1:
            pause = requests.interval
        if (tokens := rates.get("tokens")) and tokens.remaining < self._expected:
            pause = max(pause, (self._expected - tokens.remaining) * tokens.interval)
        return min(pause, 60.0)

    def _refill(self, now: float, rate: float) -> None:
        passed = self.BURST_SECONDS if self._refilled is None else now - self._refilled
        self._refilled = now
        self._tokens = min(self._tokens + passed * rate, self.BURST_SECONDS * rate)
