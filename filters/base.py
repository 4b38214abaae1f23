"""What every filter is: something that looks at a candidate and returns a verdict.

There are three kinds. A `Verifier` judges a candidate alone, a `ModelVerifier` asks models about
it, a `DiversityFilter` compares it with the rows accepted before. `filters.run` runs any of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeVar

from pydantic import Field

from synthmill.runtime.workers import Limits
from synthmill.schemas.base import Settings
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict, VerdictStatus

if TYPE_CHECKING:  # worker processes load this module and have no use for these
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from synthmill.models.forms import Form
    from synthmill.models.prompt import Prompt, Reply
    from synthmill.models.request import Sampling

Cost = Literal["rule", "cpu", "model"]
A = TypeVar("A")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FilterReference:
    """How another process loads a filter: the name and settings (JSON) that a recipe gives.

    `folder` is the recipe's, where the name is the place of a plug-in.
    """

    name: str
    settings: str
    folder: Path | None


class Filter(ABC):
    """A named, versioned judge with typed settings.

    Filters run in the order of their `cost`: `rule` (microseconds, in place), `cpu` (in a killable
    process, `time_limit` seconds at most), `model` (asks language models). `reference` is set by
    `filters.load`.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    cost: ClassVar[Cost] = "rule"
    time_limit: ClassVar[float] = 10.0
    Settings: ClassVar[type[Settings]] = Settings
    reference: FilterReference | None = None

    def __init__(self, settings: Any = None) -> None:
        self.settings = settings if settings is not None else self.Settings()

    def prepare(self) -> None:
        """Load what judging needs (heavy libraries), so that it never counts as judging time.

        Called once in every worker process for a `cpu` filter.
        """

    def verdict(
        self,
        status: VerdictStatus,
        reason: str | None = None,
        *,
        score: float | None = None,
        detail: str | None = None,
    ) -> Verdict:
        """A verdict signed with this filter's name and version; `detail` is cut to 500 signs."""
        return Verdict(
            filter=self.name,
            version=self.version,
            status=status,
            reason=reason,
            score=score,
            detail=detail[:500] if detail is not None else None,
        )


class Verifier(Filter):
    """A filter without memory: the same candidate, the same verdict.

    With `cost = "cpu"` it is loaded again in worker processes, so it holds nothing but settings.
    """

    @abstractmethod
    def judge(self, candidate: Candidate) -> Verdict:
        """The verdict on a candidate. An exception becomes an `error` verdict."""

    def fast_verdict(self, candidate: Candidate) -> Verdict | None:
        """The verdict of `judge` where a rule finds it in microseconds, else None.

        A `cpu` filter is asked this first, in place, so that most candidates enter no process.
        """
        return None


class FilterContext(Protocol):
    """What a filter that asks models is given; the engine's task context is one.

    Seeds and random generators are keyed by run seed, task key and purpose, so that verdicts do
    not depend on the order in which candidates are judged.
    """

    @property
    def seed(self) -> int:
        """The task's own seed."""

    def rng(self, purpose: str) -> Random:
        """A random generator for one purpose."""

    async def generate(
        self,
        prompt: "Prompt[A]",
        *,
        purpose: str,
        role: str = "default",
        sampling: "Sampling | None" = None,
    ) -> "Reply[A]":
        """One answer of the model in `role`; a malformed one is returned as such."""

    async def sample(
        self,
        prompt: "Prompt[A]",
        n: int,
        *,
        purpose: str,
        role: str = "default",
        sampling: "Sampling | None" = None,
    ) -> "list[Reply[A]]":
        """`n` answers of the model in `role`."""

    async def embed(
        self, texts: Sequence[str], *, role: str = "embedding"
    ) -> "npt.NDArray[np.float32]":
        """The embeddings of texts: an array of shape (len(texts), dimensions)."""

    async def run_in_worker(
        self, function: Callable[..., T], *args: Any, limits: Limits = Limits(), **kwargs: Any
    ) -> T:
        """The result of a module-level function, run in a killable process."""


class ModelFilterSettings(Settings):
    """Which model is asked."""

    role: str = Field(default="judge", description="the model role that is asked")


class ModelVerifier(Filter):
    """A filter that asks language models; its prompts are in `filters/verifiers/prompts`.

    `forms` are those of its calls, which `check` tries.
    """

    cost: ClassVar[Cost] = "model"
    forms: ClassVar[tuple["Form", ...]] = ("json",)
    Settings: ClassVar[type[Settings]] = ModelFilterSettings

    @abstractmethod
    async def judge(self, candidate: Candidate, context: FilterContext) -> Verdict:
        """The verdict on a candidate. An exception becomes an `error` verdict."""


class DiversityFilter(Filter):
    """A filter that compares a candidate with the rows accepted before it.

    Its memory belongs to a dataset, not to a run: it holds the accepted rows of every version. It
    is a projection of the dataset: rows that it lacks are given to it by `add`, and it can be
    rebuilt from nothing. It handles no files: it returns its memory as Arrow tables with one row
    for each remembered row, and `filters.index` stores those.
    """

    @abstractmethod
    def judge(self, candidate: Candidate) -> Verdict:
        """The verdict on a candidate; changes nothing. An exception becomes an `error` verdict."""

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
    def to_arrow(self, start: int, stop: int) -> "pa.Table":
        """The remembered rows of positions `start` to `stop`, in the order in which they came.

        One column is `row_id`; the others are the filter's own.
        """

    @abstractmethod
    def from_arrow(self, table: "pa.Table") -> None:
        """Remember the rows of a table made by `to_arrow`, after those already here."""
