"""Counting: what was emitted, what became of it and why. The counts always add up."""

from collections import Counter

from pydantic import BaseModel, Field

from synthmill.schemas.report import FunnelStage
from synthmill.schemas.row import Row
from synthmill.schemas.usage import Usage


class StageTally(BaseModel):
    """One filter's counts."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    reasons: Counter[str] = Field(default_factory=Counter)


class Tally(BaseModel):
    """Running counts of a run: they travel in every commit, so that a resumed run goes on counting.

    Reasons beyond `MAX_REASONS` kinds are summed up as "other", so that a filter with free-form
    reasons cannot swell the report.
    """

    tasks: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    failures: Counter[str] = Field(default_factory=Counter)
    by_kind: Counter[str] = Field(default_factory=Counter)
    funnel: dict[str, StageTally] = {}
    usage: Usage = Field(default_factory=Usage)

    @property
    def emitted(self) -> int:
        """Rows and failed tasks: everything that came out of the generator."""
        return self.accepted + self.rejected + self.failed

    def row(self, row: Row) -> None:
        """Count a judged row."""
        if row.status == "accepted":
            self.accepted += 1
            self.by_kind[row.kind] += 1
        else:
            self.rejected += 1
        for verdict in row.verdicts:
            stage = self.funnel.setdefault(verdict.filter, StageTally())
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

    def failure(self, reason: str) -> None:
        """Count a task that failed."""
        self.failed += 1
        _count(self.failures, reason)

    def stages(self) -> list[FunnelStage]:
        """The funnel as the report carries it."""
        return [
            FunnelStage(filter=name, **stage.model_dump()) for name, stage in self.funnel.items()
        ]


MAX_REASONS = 50


def _count(reasons: Counter[str], reason: str) -> None:
    known = reason in reasons or len(reasons) < MAX_REASONS
    reasons[reason if known else "other"] += 1
