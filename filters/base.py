"""What every filter is: something that looks at a candidate and returns a verdict."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict, VerdictStatus

if TYPE_CHECKING:  # worker processes load this module and have no use for Arrow
    import pyarrow as pa

Cost = Literal["rule", "cpu"]


class Filter(ABC):
    """A named, versioned judge with typed settings.

    `cost` is `rule` (microseconds, runs in place) or `cpu` (runs in a killable process under
    `time_limit` seconds). Cheap filters run first. A `cpu` filter travels to its worker process by
    pickle, so it holds nothing but its settings.
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
        """The verdict on a candidate. May raise: `decide` makes an `error` verdict of it."""

    def quick(self, candidate: Candidate) -> Verdict | None:
        """The verdict of `judge` where a rule finds it in microseconds, else None.

        `filters.pool.WorkerPool.judge` asks a `cpu` filter this first, in place, so that most
        candidates never enter a process.
        """
        return None

    def prepare(self) -> None:
        """Load what `judge` needs (heavy libraries).

        Called once in every worker process before any work, so that loading never counts against
        the time limit.
        """

    def decide(self, candidate: Candidate) -> Verdict:
        """The verdict of `judge`, in place; what it raises becomes an `error` verdict.

        Only a lack of memory passes through: it concerns the process, not the candidate.
        """
        try:
            verdict = self.judge(candidate)
        except MemoryError:
            raise
        except Exception as error:
            return self.failure(error)
        if not isinstance(verdict, Verdict):
            return self.failure(TypeError(f"judge returned {type(verdict).__name__}, no verdict"))
        return verdict

    def failure(self, error: Exception) -> Verdict:
        """The `error` verdict for an exception that `judge` raised."""
        return self.verdict("error", f"{type(error).__name__} raised", detail=str(error)[:500])

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

    Its memory belongs to a dataset, not to a run: it holds the accepted rows of every version. It
    is a projection of the dataset: what it lacks is fed to it by `add`, row by row, and it can be
    rebuilt from nothing. `judge` never changes it. Files are not its concern: it hands out its
    memory as Arrow tables, one row for each remembered row, and `filters.index` keeps those.
    """

    @property
    def parameters(self) -> dict[str, Any]:
        """What the memory depends on: memories with other parameters cannot be mixed.

        By default every setting. A filter leaves out what only `judge` reads (a threshold), and
        adds the format or algorithm version of what it stores.
        """
        return dict(self.settings.model_dump(mode="json"))

    @abstractmethod
    def __len__(self) -> int:
        """How many rows are remembered."""

    @abstractmethod
    def add(self, row_id: str, candidate: Candidate) -> None:
        """Remember an accepted row (also one of a kind that the filter skips: then do nothing)."""

    @abstractmethod
    def dump(self, start: int, stop: int) -> "pa.Table":
        """The remembered rows of positions `start` to `stop`, in the order in which they came.

        One column is `row_id`; the others are the filter's own.
        """

    @abstractmethod
    def restore(self, table: "pa.Table") -> None:
        """Remember the rows of a dumped table, after those already here."""
