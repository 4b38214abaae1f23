"""The report of a run: what was made, what was not and why, and what it cost."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from synthmill.schemas.base import Record
from synthmill.schemas.targets import Target, Targets
from synthmill.schemas.usage import PromptUsage, RunCost, Usage

StopReason = Literal["target met", "budget spent", "source exhausted", "interrupted", "failed"]
RunState = Literal["running", "finished", "interrupted", "failed", "killed"]


class FunnelStage(BaseModel):
    """One filter's counts of verdicts, and its reasons for `fail` and `error`."""

    model_config = ConfigDict(extra="forbid")

    filter: str
    passed: int = 0
    failed: int = 0
    errors: int = 0
    skipped: int = 0
    reasons: dict[str, int] = {}


class RunReport(Record):
    """Counts add up: `emitted == accepted + rejected + failed`.

    A failed task counts as one emission that failed, with its reason in `failures`.
    """

    run_id: str
    recipe: str
    recipe_hash: str
    dataset: str
    generator: str
    seed: int
    started_at: datetime
    ended_at: datetime | None = Field(default=None, description="null while the run works")
    seconds: float = Field(default=0.0, description="time at work, before and after a resume")
    target: Target | None = Field(default=None, description="accepted rows that were wanted")
    stop: StopReason | None = None
    stop_detail: str | None = None
    tasks: int = 0
    emitted: int = 0
    accepted: int = 0
    rejected: int = 0
    failed: int = 0
    failures: dict[str, int] = Field(default={}, description="reasons of failed tasks")
    by_kind: dict[str, int] = Field(default={}, description="accepted rows of each kind")
    rejections: dict[str, dict[str, int]] = Field(
        default={}, description="rejected rows by kind, and by the filter that rejected them"
    )
    funnel: list[FunnelStage] = []
    usage: dict[str, PromptUsage] = Field(default={}, description="by prompt name")
    used: Usage = Field(default=Usage(), description="by the tasks whose rows are committed")
    unused: Usage = Field(
        default=Usage(), description="by tasks that had begun and were not settled at the end"
    )
    continues: str | None = Field(
        default=None, description="an earlier run of the recipe, behind whose tasks this one began"
    )
    versions: list[int] = Field(default=[], description="dataset versions this run committed")

    @property
    def missing(self) -> dict[str, int]:
        """The rows of the target that were not made, by kind (or `ROWS`)."""
        return Targets(self.target).missing(self.by_kind)

    @property
    def cost(self) -> RunCost:
        """What it cost."""
        return RunCost.of(self.usage, self.unused)

    @property
    def asked(self) -> Usage:
        """Everything that tasks asked of models, the answers from the response cache included."""
        return self.cost.asked

    @property
    def bought(self) -> Usage:
        """The part of `asked` that back ends answered: what is paid for."""
        return self.cost.bought

    @property
    def nothing_left(self) -> bool:
        """Whether earlier runs of the recipe had left no task for this one."""
        return self.stop == "source exhausted" and bool(self.continues) and not self.emitted

    @property
    def resumable(self) -> bool:
        """Whether `synthmill resume` has anything left to do."""
        return self.stop in (None, "interrupted", "failed", "budget spent")
