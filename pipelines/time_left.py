"""How long a run still takes, from the durations of its tasks and the yield seen so far."""

import heapq
import math
import time
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from random import Random

from synthmill.pipelines.checkpoint import Tally
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.targets import Targets, accepted

# Ours, all of them.
DURATIONS = 2000  # durations kept: those of the latest tasks
SIMULATED = 2000  # tasks simulated at most; a longer rest is computed from the mean
REPEATS = 5  # simulations whose mean is shown
WEIGHT = 4.0  # accepted rows that the assumption of a constant yield weighs as much as
MIN_POWER = 0.35
MIN_YIELD = 0.1  # share of the yield that is left at the end, at least
RATE_SECONDS = 30.0


class TimeLeft:
    """Estimates the time to the end of a run.

    The tasks still needed follow from the target, the budget and the number of items of the source,
    whichever comes first. Diversity filters reject more as a dataset grows, so the accepted rows
    are taken to grow as a power of the number of tasks, and to fill a dataset of limited size; both
    are fitted to the run so far, and their geometric mean is taken. The rest of the run is then
    simulated: tasks in progress take as long as the finished ones that took at least as long as
    they have by now, new ones as long as any; rows are settled in order, so the end is that of the
    slowest task needed.
    """

    def __init__(self, recipe: Recipe, tasks: int | None, index: int) -> None:
        """`tasks` is the number of tasks of the source if it is known, `index` the first task."""
        self._recipe = recipe
        self._left = None if tasks is None else max(0, tasks - index)
        self._begun: dict[int, float] = {}
        self._durations: list[float] = []
        self._finished = 0
        self._settled = 0
        self._next = self._unstarted = index  # the next task to settle, and to start
        self._targets = Targets(recipe.target)
        # By this process, after each settled task: the accepted rows that count for each number.
        self._accepted = {name: array("Q", [0]) for name in self._targets.limits}

    def started(self, index: int) -> None:
        """A task starts."""
        self._begun[index] = time.monotonic()
        self._next = min(self._next, index)  # another source is read from its start
        self._unstarted = index + 1

    def finished(self, index: int) -> None:
        """A task ends."""
        duration = time.monotonic() - self._begun.pop(index)
        if len(self._durations) < DURATIONS:
            self._durations.append(duration)
        else:
            self._durations[self._finished % DURATIONS] = duration
        self._finished += 1

    def cancelled(self) -> None:
        """The tasks that are not settled are cancelled, and start again."""
        self._begun.clear()
        self._unstarted = self._next

    def settled(self, by_kind: Mapping[str, int]) -> None:
        """A task is settled, with so many accepted rows of each kind."""
        self._settled += 1
        self._next += 1
        for name, counts in self._accepted.items():
            counts.append(counts[-1] + accepted(by_kind, name))

    def seconds(self, tally: Tally, seconds: float) -> float | None:
        """The estimate, or None before the first task has ended or where nothing bounds the run."""
        bounds = list(self._tasks_left(tally))
        minutes = self._recipe.budget.minutes
        limit = math.inf if minutes is None else max(0.0, 60 * minutes - seconds)
        if not self._durations or not bounds:
            return None if minutes is None else limit
        return min(limit, self._simulated(min(bounds)))

    def _tasks_left(self, tally: Tally) -> list[float]:
        """Tasks to settle until each of the run's bounds is reached."""
        budget, found = self._recipe.budget, list[float]()
        if self._left is not None:
            found.append(float(self._left - self._settled))
        missing = self._targets.missing(tally.by_kind)
        if missing and all(self._accepted[name][-1] for name in missing):
            found.append(max(self._until(*missed) for missed in missing.items()))
        for bound, used in (
            (budget.candidates, tally.emitted),
            (budget.tokens, tally.usage.tokens),
            (budget.dollars, tally.usage.dollars),
        ):
            if bound is not None and used:
                found.append(max(0.0, (bound - used) * tally.tasks / used))
        return found

    def _until(self, name: str, rows: int) -> float:
        """Tasks until so many more rows are accepted, where they grow as a power of the tasks."""
        tasks, made = self._settled, self._accepted[name][-1]
        half = self._accepted[name][tasks // 2] if tasks > 1 else made / 2
        share = (half + WEIGHT / 2) / (made + WEIGHT)  # a half where the yield is constant
        power = min(1.0, max(MIN_POWER, math.log2(1 / share)))
        by_power = tasks * (((rows + made) / made) ** (1 / power) - 1)
        return math.sqrt(by_power * self._until_full(rows, made, half))

    def _until_full(self, rows: int, made: int, half: float) -> float:
        """Tasks until so many more rows, where the yield falls in proportion to the rows so far.

        The fall is taken from the two halves of the run, less its standard deviation.
        """
        tasks = max(self._settled, 2)
        early, late = 2 * half / tasks, 2 * (made - half) / tasks
        mean = min(1.0, made / tasks)
        noise = math.sqrt(4 * mean * (1 - mean) / tasks)
        fall = max(0.0, early - late - noise) / (made / 2)
        now = max(late - fall * (made - half) / 2, MIN_YIELD * late, MIN_YIELD / tasks)
        then = max(now - fall * rows, MIN_YIELD * now)
        slope = (now - then) / rows
        return math.log(now / then) / slope if slope > 1e-12 else rows / now

    def _simulated(self, needed: float) -> float:
        tasks = max(1, math.ceil(needed))
        rng, known = Random(0), sorted(self._durations)
        return sum(self._simulate(tasks, rng, known) for _ in range(REPEATS)) / REPEATS

    def _simulate(self, tasks: int, rng: Random, known: list[float]) -> float:
        now, concurrency = time.monotonic(), self._recipe.engine.concurrency
        last = self._next + tasks
        busy: list[float] = []
        durations, end = list(known), 0.0
        for index, begun in self._begun.items():
            rest = _rest(now - begun, known, rng)
            durations.append(now - begun + rest)
            busy.append(rest)
            if index < last:  # later ones are not waited for
                end = max(end, rest)
        new = max(0, last - self._unstarted)
        heapq.heapify(busy)
        for _ in range(min(new, SIMULATED)):
            free = 0.0 if len(busy) < concurrency else heapq.heappop(busy)
            until = free + rng.choice(durations)
            heapq.heappush(busy, until)
            end = max(end, until)
        mean = sum(durations) / len(durations)
        return end + max(0, new - SIMULATED) * mean / concurrency


def _rest(elapsed: float, known: list[float], rng: Random) -> float:
    """How long a task still takes that has taken `elapsed` by now."""
    place = bisect_right(known, elapsed)
    return rng.choice(known[place:]) - elapsed if place < len(known) else max(elapsed, 0.01)


class Rate:
    """A count per second over the last half minute."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def add(self, count: int) -> float:
        """The rate, now that the count is `count`."""
        now = time.monotonic()
        self._seen.append((now, count))
        while len(self._seen) > 2 and self._seen[1][0] < now - RATE_SECONDS:
            self._seen.popleft()
        then, before = self._seen[0]
        return (count - before) / (now - then) if now > then else 0.0
