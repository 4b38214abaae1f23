"""A snapshot of a run, to be shown while it works."""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands now.

    `tokens` and `dollars` are those of settled tasks, as rows and budgets count them; `calls` are
    all model calls answered so far, so that something moves while the first tasks run.
    """

    accepted: int
    target: int | None
    rejected: int
    failed: int
    tasks: int
    in_progress: int
    tokens: int
    dollars: float
    seconds: float
    rejects: Counter[str]
    status: str | None
    calls: int = 0

    @property
    def seconds_left(self) -> float | None:
        """The time to the target at the pace so far, or None while it is not known."""
        if not self.target or not self.accepted:
            return None
        return max(0.0, self.seconds * (self.target - self.accepted) / self.accepted)

    @property
    def tokens_per_second(self) -> float:
        """Tokens per second since the start."""
        return self.tokens / self.seconds if self.seconds else 0.0
