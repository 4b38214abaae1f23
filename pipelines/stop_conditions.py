"""When a run ends (target, budget), and how many tasks may be in progress before it does."""

import math
from collections import Counter
from dataclasses import dataclass, field

from synthmill.pipelines.checkpoint import Tally
from synthmill.schemas.recipe import Budget
from synthmill.schemas.report import StopReason
from synthmill.schemas.targets import Targets, accepted

# Ours: tasks that a run with a budget starts before it knows what a task costs.
FIRST_TASKS = 4


@dataclass(frozen=True, slots=True)
class StopStatus:
    """Why a run ended, with the particulars."""

    reason: StopReason
    detail: str | None = None


def bound_reached(
    tally: Tally, targets: Targets, budget: Budget, seconds: float
) -> StopStatus | None:
    """The first bound that the settled candidates have reached, or None.

    Costs are those of settled tasks in task order, so a run stops at the same row at any
    concurrency (except for the budget in minutes).
    """
    if targets.met(tally.by_kind):
        return StopStatus("target met")
    if budget.candidates is not None and tally.emitted >= budget.candidates:
        return StopStatus("budget spent", f"{budget.candidates:,} candidates")
    if budget.tokens is not None and tally.usage.tokens >= budget.tokens:
        used = f"{tally.usage.tokens:,} of {budget.tokens:,} prompt and generated tokens"
        return StopStatus("budget spent", used)
    if budget.dollars is not None and tally.usage.dollars >= budget.dollars:
        return StopStatus(
            "budget spent", f"{tally.usage.dollars:.2f} of {budget.dollars:.2f} dollars"
        )
    if budget.minutes is not None and seconds >= 60 * budget.minutes:
        return StopStatus("budget spent", f"{budget.minutes:g} minutes")
    return None


@dataclass(slots=True)
class Progression:
    """What tasks have brought and used; `by_kind` counts rows that the verifiers accept."""

    tasks: int = 0
    by_kind: Counter[str] = field(default_factory=Counter)
    emitted: int = 0
    tokens: int = 0
    dollars: float = 0.0

    def add(self, other: "Progression", times: int = 1) -> None:
        """Add another one, or with `times=-1` take it away."""
        self.tasks += times * other.tasks
        self.emitted += times * other.emitted
        self.tokens += times * other.tokens
        self.dollars += times * other.dollars
        for kind, rows in other.by_kind.items():
            self.by_kind[kind] += times * rows


class AdmissionControl:
    """Decides whether another task may start, so that little is bought and not used.

    For each number of the target and for each budget it estimates what the run will have once all
    tasks in progress are settled: settled tasks and those that wait for their turn are known, each
    of the others is taken to bring the mean of the finished ones. One more task starts only while
    no estimate of a budget reaches its bound, and the estimate of some kind does not reach its
    number. So the last rows of a target start no more tasks than they probably need.

    Before a task is finished its yield is unknown. The guess is high, so that a run starts with few
    tasks: about the square root of its target (3 for 5 rows, 8 for 50, 23 for 500), and
    `FIRST_TASKS` under a budget of tokens or dollars. It weighs as much as one finished task, so it
    soon counts for little. The guess is ours.
    """

    def __init__(self, targets: Targets, budget: Budget) -> None:
        self._in_progress = 0
        self._waiting = Progression()
        self._targets = targets
        bounds = (
            ("emitted", budget.candidates, math.sqrt(budget.candidates or 0)),
            ("tokens", budget.tokens, (budget.tokens or 0) / FIRST_TASKS),
            ("dollars", budget.dollars, (budget.dollars or 0) / FIRST_TASKS),
        )
        self._budget = [(name, limit, guess) for name, limit, guess in bounds if limit is not None]

    def may_start(self, tally: Tally) -> bool:
        """Whether to start one more task."""
        used = tally.usage
        finished = Progression(
            tally.tasks, tally.by_kind.copy(), tally.emitted, used.tokens, used.dollars
        )
        finished.add(self._waiting)

        def reaches(known: float, limit: float, guess: float) -> bool:
            return known + self._in_progress * (known + guess) / (finished.tasks + 1) >= limit

        if any(reaches(getattr(finished, name), *bound) for name, *bound in self._budget):
            return False
        return not self._targets.ends_the_run or not all(
            reaches(accepted(finished.by_kind, name), limit, math.sqrt(limit))
            for name, limit in self._targets.limits.items()
        )

    def started(self) -> None:
        """A task starts."""
        self._in_progress += 1

    def finished(self, found: Progression) -> None:
        """A task in progress is finished, and waits for its turn to be settled."""
        self._in_progress -= 1
        self._waiting.add(found)

    def settled(self, found: Progression) -> None:
        """A finished task is settled: from now on the tally counts it."""
        self._waiting.add(found, times=-1)
