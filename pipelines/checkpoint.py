"""Where a run stands: what every commit carries, so that a resumed run continues from it."""

from collections import Counter
from datetime import datetime

from pydantic import BaseModel, Field

from synthmill.schemas.report import FunnelStage
from synthmill.schemas.row import Row
from synthmill.schemas.usage import PromptUsage, Usage

MAX_REASONS = 50  # ours: kinds of reasons in a report; a filter may put free text into them


class Tally(BaseModel):
    """Running counts of a run. They always add up.

    Reasons beyond `MAX_REASONS` kinds are counted as "other".
    """

    tasks: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    failures: Counter[str] = Field(default_factory=Counter)
    by_kind: Counter[str] = Field(default_factory=Counter)
    funnel: dict[str, FunnelStage] = {}
    usage: Usage = Field(default_factory=Usage)

    @property
    def emitted(self) -> int:
        """Rows and failed tasks: everything that came out of the generator."""
        return self.accepted + self.rejected + self.failed

    def count_row(self, row: Row) -> None:
        """Count a judged row."""
        if row.status == "accepted":
            self.accepted += 1
            self.by_kind[row.kind] += 1
        else:
            self.rejected += 1
        for verdict in row.verdicts:
            stage = self.funnel.setdefault(verdict.filter, FunnelStage(filter=verdict.filter))
            match verdict.status:
                case "pass":
                    stage.passed += 1
                case "skipped":
                    stage.skipped += 1
                case "fail":
                    stage.failed += 1
                    _count(stage.reasons, verdict.reason or "failed")
                case "error":
                    stage.errors += 1
                    _count(stage.reasons, verdict.reason or "error")

    def count_failure(self, reason: str) -> None:
        """Count a task that failed."""
        self.failed += 1
        _count(self.failures, reason)


class Checkpoint(BaseModel):
    """The position in the stream of candidates, and the counts up to it.

    The tasks before index `task` are settled, and so are `candidate` candidates of that task,
    which used `partial` as a whole. A run begins at index `first_task`: 0, unless it continues the
    state of an earlier run. `state` is the hash of the feedback states that the following tasks
    need.
    """

    first_task: int = 0
    task: int = 0
    candidate: int = 0
    partial: Usage = Field(default_factory=Usage)
    state: str | None = None
    tally: Tally = Tally()
    usage: dict[str, PromptUsage] = {}
    seconds: float = 0.0
    started_at: datetime


def _count(reasons: dict[str, int], reason: str) -> None:
    known = reason in reasons or len(reasons) < MAX_REASONS
    key = reason if known else "other"
    reasons[key] = reasons.get(key, 0) + 1
