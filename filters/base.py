"""What every filter is: something that looks at a candidate and returns a verdict."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Literal

from schemas.base import Settings
from schemas.row import Candidate
from schemas.verdict import Verdict, VerdictStatus

Cost = Literal["rule", "cpu"]


class Filter(ABC):
    """A named, versioned judge with typed settings.

    `cost` is `rule` (microseconds, runs in place) or `cpu` (runs in a killable process under
    `time_limit` seconds). Cheap filters run first.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    cost: ClassVar[Cost] = "rule"
    time_limit: ClassVar[float] = 10.0
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings if settings is not None else self.Settings()

    @abstractmethod
    def judge(self, candidate: Candidate) -> Verdict:
        """The verdict on a candidate. May raise: the engine makes an `error` verdict of it."""

    def verdict(
        self,
        status: VerdictStatus,
        reason: str | None = None,
        *,
        score: float | None = None,
        detail: str | None = None,
    ) -> Verdict:
        """A verdict signed with this filter's name and version."""
        return Verdict(
            filter=self.name,
            version=self.version,
            status=status,
            reason=reason,
            score=score,
            detail=detail,
        )


class Verifier(Filter):
    """A filter without memory: the same candidate, the same verdict."""


class DiversityFilter(Filter):
    """A filter that compares a candidate with the rows accepted before it.

    Its index belongs to a dataset, not to a run: it holds the accepted rows of every version. It
    is a projection of the dataset: what it lacks is fed to it by `add`, row by row, and it can be
    rebuilt from nothing. `judge` never changes the index.
    """

    @abstractmethod
    def add(self, row_id: str, candidate: Candidate) -> None:
        """Remember an accepted row."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the index with its parameters into `folder` (which exists and is empty)."""

    @abstractmethod
    def load(self, folder: Path) -> None:
        """Read what `save` wrote.

        Raises:
            schemas.errors.InputError: the index was made with other parameters or in an older
                format; the message says how to rebuild it.
        """
