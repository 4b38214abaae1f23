"""What a generator is: typed settings, and tasks that become candidates."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Literal, Protocol, TypeVar

from synthmill.models.prompt import Prompt, Reply
from synthmill.models.request import Sampling
from synthmill.runtime.workers import Limits
from synthmill.schemas.base import Settings
from synthmill.schemas.lineage import Media
from synthmill.schemas.row import Candidate, Row
from synthmill.sources.base import Source

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Task:
    """One work item. `key` is stable over runs and unique within a source."""

    key: str
    item: Any


class Context(Protocol):
    """What the engine hands to `generate`; nothing else of the world reaches a generator."""

    @property
    def seed(self) -> int:
        """The task's own seed, keyed by (run seed, task key)."""

    @property
    def scratch(self) -> Path:
        """A folder that lives as long as the task."""

    def rng(self, purpose: str) -> Random:
        """A random generator keyed by (run seed, task key, purpose)."""

    async def generate(
        self,
        prompt: Prompt[T],
        *,
        purpose: str,
        role: str = "default",
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
    ) -> Reply[T]:
        """One reply of the model in `role`; see `sample`."""

    async def sample(
        self,
        prompt: Prompt[T],
        n: int,
        *,
        purpose: str,
        role: str = "default",
        prefix: str = "",
        sampling: Sampling | None = None,
        tools: str | None = None,
    ) -> list[Reply[T]]:
        """`n` replies of the model in `role`; the seed is keyed by `purpose`.

        A malformed answer is asked for again, with the error, as often as the model's settings
        say; one that is still malformed comes back as such.
        """

    async def write_media(
        self,
        data: bytes,
        kind: Literal["image", "video", "audio", "file"],
        mime: str,
        detail: str | None = None,
    ) -> Media:
        """Store a file content-addressed under the dataset, and return its reference."""

    async def run_in_worker(
        self, function: Callable[..., T], *args: Any, limits: Limits = Limits(), **kwargs: Any
    ) -> T:
        """Run a module-level function in a worker process; for work that keeps a CPU busy.

        Raises:
            WorkerError: it exceeded its limits or crashed; see `runtime.workers`.
        """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task: its rows in order, or the reason why it failed."""

    task: Task
    rows: Sequence[Row]
    failure: str | None = None


class Generator(ABC):
    """A method that turns work items into candidates.

    A generator whose next tasks depend on what came back overrides `observe`; the engine then
    runs in rounds: it calls `tasks` with the current state, runs all that it yields, calls
    `observe` with the outcomes in task order, commits, and calls `tasks` again until it yields
    nothing. Without `observe` there is a single round, and `tasks` may be endless.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    item: ClassVar[type]
    Settings: ClassVar[type[Settings]]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @property
    def label(self) -> str:
        """`name@version`, as rows carry it."""
        return f"{self.name}@{self.version}"

    def tasks(self, source: Source, state: str | None) -> Iterator[Task]:
        """Work items with stable keys; by default one for each item of the source.

        `state` is the JSON text that `observe` returned last, or None at the start.
        """
        for item in source.items():
            yield Task(key=item.key, item=item)

    @abstractmethod
    def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The candidates of a task. What it raises fails the task, with its reason."""

    def observe(self, outcomes: Iterable[Outcome], state: str | None) -> str | None:
        """The next state, as JSON text, after a round."""
        return state

    def describe(self, row: Row) -> str | None:
        """The row's `detail` as text for a terminal, or None where JSON says it as well."""
        return None

    def picture(self, row: Row, media: Path) -> bytes | None:
        """A PNG that shows the row, or None; its media paths start at the folder `media`."""
        return None
