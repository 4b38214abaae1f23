"""Is the problem neither too easy nor too hard for the model that measured it?"""

from typing import Self

from pydantic import Field, model_validator

from synthmill.filters.base import Verifier
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class PassRateSettings(Settings):
    """The band of pass rates that is kept, bounds included.

    R-Zero and R-Diverse (arXiv 2602.13103) keep 0.3 to 0.8. Ours is wider: only problems that no
    sample or every sample solves certainly give a group-relative trainer no gradient.
    """

    low: float = Field(default=0.01, ge=0, le=1, description="least pass rate kept")
    high: float = Field(default=0.99, ge=0, le=1, description="greatest pass rate kept")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) is above high ({self.high:g})")
        return self


class PassRate(Verifier):
    """Keeps problems whose measured pass rate lies in a band; the score is the pass rate.

    Rows without a pass rate, and rows of other kinds than `rlvr`, are skipped.
    Not checked: how many samples it was measured with.
    """

    name = "pass_rate"
    Settings = PassRateSettings
    settings: PassRateSettings

    def judge(self, candidate: Candidate) -> Verdict:
        """Pass, or fail as too easy or too hard."""
        rate = candidate.pass_rate
        if candidate.kind != "rlvr" or rate is None:
            return self.verdict("skipped", "no pass rate")
        if rate < self.settings.low:
            return self.verdict("fail", "too hard", score=rate)
        if rate > self.settings.high:
            return self.verdict("fail", "too easy", score=rate)
        return self.verdict("pass", score=rate)
