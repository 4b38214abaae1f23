"""A snapshot of a run, to be shown while it works."""

from collections import Counter
from dataclasses import dataclass, field

from synthmill.schemas.targets import Targets


@dataclass(frozen=True, slots=True)
class Preparation:
    """How far the work before the first task is (an index is built, say).

    `total` is None where it is not known.
    """

    message: str
    done: int
    total: int | None

    def __str__(self) -> str:
        return f"{self.message}: {self.done:,}" + (f" of {self.total:,}" if self.total else "")


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands now; `by_kind` are the accepted rows of each kind.

    `calls`, tokens and `dollars` are those of all model calls answered so far, so that they move
    while the first tasks run; answers from the response cache are among them. `call_failures`
    counts failed attempts of calls, by kind. `seconds_left` is None while it is not known.
    """

    accepted: int
    by_kind: dict[str, int]
    targets: Targets
    rejected: int
    failed: int
    tasks: int
    in_progress: int
    prompt_tokens: int
    generated_tokens: int
    dollars: float
    seconds: float
    rejects: Counter[str]
    status: str | None
    calls: int = 0
    calls_per_second: float = 0.0
    call_failures: Counter[str] = field(default_factory=Counter)
    seconds_left: float | None = None
    preparation: Preparation | None = None
