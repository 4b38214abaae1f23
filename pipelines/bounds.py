"""When a run ends: its target and its budget."""

from dataclasses import dataclass, field

from synthmill.pipelines.tally import Tally
from synthmill.schemas.recipe import Budget
from synthmill.schemas.report import StopReason
from synthmill.schemas.usage import Usage


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run ended, with the particulars."""

    reason: StopReason
    detail: str | None = None


def bound_reached(tally: Tally, target: int | None, budget: Budget, seconds: float) -> Stop | None:
    """The first bound that the settled candidates have reached, or None.

    Costs are those of settled tasks in task order, so a run stops at the same row whatever its
    concurrency (minutes excepted, which are the clock's).
    """
    if target is not None and tally.accepted >= target:
        return Stop("target met")
    if budget.candidates is not None and tally.emitted >= budget.candidates:
        return Stop("budget spent", f"{budget.candidates:,} candidates")
    if budget.tokens is not None and tally.usage.tokens >= budget.tokens:
        return Stop("budget spent", f"{tally.usage.tokens:,} of {budget.tokens:,} tokens")
    if budget.dollars is not None and tally.usage.dollars >= budget.dollars:
        return Stop("budget spent", f"{tally.usage.dollars:.2f} of {budget.dollars:.2f} dollars")
    if budget.minutes is not None and seconds >= 60 * budget.minutes:
        return Stop("budget spent", f"{budget.minutes:g} minutes")
    return None


@dataclass(slots=True)
class Launches:
    """Decides whether another task may start, so that little is bought that will not be used.

    Results come back out of order; what finished tasks cost is known before they are settled. No
    task starts once that reaches the budget, nor when the tasks at work will probably meet the
    target: `Tally` tells how many rows a task has given so far.
    """

    target: int | None
    budget: Budget
    started: int = 0
    settled: int = 0
    usage: Usage = field(default_factory=Usage)

    def may_start(self, tally: Tally) -> bool:
        """Whether to start one more task."""
        if self.budget.tokens is not None and self.usage.tokens >= self.budget.tokens:
            return False
        if self.budget.dollars is not None and self.usage.dollars >= self.budget.dollars:
            return False
        ahead = self.started - self.settled
        if self.target is None or not ahead or not tally.tasks:
            return True
        return tally.accepted + ahead * tally.accepted / tally.tasks < self.target
