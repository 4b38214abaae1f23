"""A filter's judgement of a candidate."""

from typing import Literal

from synthmill.schemas.base import Record

VerdictStatus = Literal["pass", "fail", "error", "skipped"]


class Verdict(Record):
    """One filter's judgement.

    `error` means that the filter could not decide (time-out, crash) and is never a `fail`;
    `skipped` means that the filter does not concern this candidate. `reason` is a short stable
    phrase that `synthmill why` counts; `detail` is for the particulars of this candidate
    (a matched row, a measured length).
    """

    filter: str
    version: int = 1
    status: VerdictStatus
    score: float | None = None
    reason: str | None = None
    detail: str | None = None
