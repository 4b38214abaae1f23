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

    `by_kind` counts accepted rows, `rejections` the rejected ones by kind and by the filter that
    rejected them. Reasons beyond `MAX_REASONS` kinds are counted as "other".
    """

    tasks: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    failures: Counter[str] = Field(default_factory=Counter)
    by_kind: Counter[str] = Field(default_factory=Counter)
    rejections: dict[str, Counter[str]] = {}
    funnel: dict[str, FunnelStage] = {}
    usage: Usage = Field(default_factory=Usage)

    @property
    def emitted(self) -> int:
        """Rows and failed tasks: everything that came out of the generator."""
        return self.accepted + self.rejected + self.failed

    def count_row(self, row: Row) -> None:
        """Count a judged row."""
        self._count_row(row, 1)

    def uncount_row(self, row: Row) -> None:
        """Take back a row that is judged anew."""
        self._count_row(row, -1)

    def _count_row(self, row: Row, by: int) -> None:
        if row.status == "accepted":
            self.accepted += by
            self.by_kind[row.kind] += by
        else:
            self.rejected += by
            self.rejections.setdefault(row.kind, Counter())[rejected_by(row)] += by
        for verdict in row.verdicts:
            stage = self.funnel.setdefault(verdict.filter, FunnelStage(filter=verdict.filter))
            match verdict.status:
                case "pass":
                    stage.passed += by
                case "skipped":
                    stage.skipped += by
                case "fail":
                    stage.failed += by
                    _count(stage.reasons, verdict.reason or "failed", by)
                case "error":
                    stage.errors += by
                    _count(stage.reasons, verdict.reason or "error", by)

    def count_failure(self, reason: str) -> None:
        """Count a task that failed."""
        self.failed += 1
        _count(self.failures, reason)


def rejected_by(row: Row) -> str:
    """The filter that rejected a row: the last whose verdict is no pass, as none ran after it."""
    found = (v.filter for v in reversed(row.verdicts) if v.status in ("fail", "error"))
    return next(found, "unknown")


class Checkpoint(BaseModel):
    """The position in the stream of candidates, and the counts up to it.

    The tasks before index `task` are settled, and so are `candidate` candidates of that task,
    which used `partial` as a whole. A run begins at index `first_task`: 0, unless it continues
    behind an earlier run. `last_key` is the key of the task before `task`: where the source has
    another one there, it is another source. `state` is the hash of the feedback states that the
    following tasks need.
    """

    first_task: int = 0
    task: int = 0
    candidate: int = 0
    last_key: str | None = None
    partial: Usage = Field(default_factory=Usage)
    state: str | None = None
    tally: Tally = Tally()
    usage: dict[str, PromptUsage] = {}
    seconds: float = 0.0
    started_at: datetime


def _count(reasons: dict[str, int], reason: str, by: int = 1) -> None:
    known = reason in reasons or len(reasons) < MAX_REASONS
    key = reason if known else "other"
    reasons[key] = reasons.get(key, 0) + by
