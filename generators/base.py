"""What a generator is: typed settings, a preparation, and tasks that become candidates."""

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    Literal,
    Protocol,
    TypeVar,
    get_args,
    get_origin,
)

from synthmill.models.forms import Form
from synthmill.models.prompt import Prompt, Reply
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Sampling
from synthmill.runtime.workers import Limits, WorkerPool
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.lineage import Media
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate, Kind, Row
from synthmill.schemas.verdict import Verdict
from synthmill.sources.base import Source

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

T = TypeVar("T")
SettingsT = TypeVar("SettingsT", bound=Settings, covariant=True)
StateT = TypeVar("StateT", bound=Record)

MediaWriter = Callable[[bytes, Literal["image", "video", "audio", "file"], str, str | None], Media]


class Cancelled(Exception):
    """Raised inside a thread of `Resources.in_thread` when the run was interrupted."""


@dataclass(frozen=True, slots=True)
class Resources:
    """What `Generator.prepare` may use.

    `cache_dir` is the cache folder of the run's home: what is built there is shared by runs, so it
    must be named by its content. `progress(message, done, total)` shows how far the preparation is;
    `total` is None where it is not known.
    """

    models: ModelRegistry
    workers: WorkerPool
    cache_dir: Path
    write_media: MediaWriter
    progress: Callable[[str, int, int | None], None]

    async def in_thread(self, message: str, function: Callable[[Callable[[int], None]], T]) -> T:
        """Return ``function(report)``, run in a thread.

        `function` calls `report(done)` now and then: it shows the progress, and raises `Cancelled`
        once the run is interrupted, so that the thread ends and cleans up.
        """
        cancelled = threading.Event()

        def report(done: int) -> None:
            if cancelled.is_set():
                raise Cancelled
            self.progress(message, done, None)

        thread = asyncio.create_task(asyncio.to_thread(function, report))
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            cancelled.set()
            await asyncio.gather(thread, return_exceptions=True)
            raise


@dataclass(frozen=True, slots=True)
class Task:
    """One work item. `key` is stable over runs and unique within a source."""

    key: str
    item: Any


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The result of the task at `index`: its judged rows in order, or the reason of its failure."""

    index: int
    task: Task
    rows: Sequence[Row]
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate with its verdicts: those it came with, then those of the filters that ran."""

    candidate: Candidate
    verdicts: tuple[Verdict, ...]
    accepted: bool


class Context(Protocol):
    """What the engine hands to `generate` and `next_task`: the only way to models and randomness.

    Purposes name random draws and model calls within a task: the same purpose gives the same draw.
    """

    @property
    def seed(self) -> int:
        """The task's own seed, keyed by (run seed, task key)."""

    @property
    def scratch(self) -> Path:
        """A folder that lives as long as the task."""

    def scoped(self, prefix: str) -> "Context":
        """This context with `prefix/` in front of every purpose."""

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
        """One answer of the model in `role`; the seed is keyed by `purpose`.

        A malformed answer is requested again, with the error, as often as the model's settings
        say; one that is still malformed is returned as such.
        """

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
        """`n` answers to the same prompt, as `generate` makes one."""

    async def embed(
        self, texts: Sequence[str], *, role: str = "embedding"
    ) -> "npt.NDArray[np.float32]":
        """The embeddings of texts, of shape (len(texts), dimensions)."""

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

    async def verify(self, candidate: Candidate) -> Judged:
        """Run the recipe's verifiers on a candidate now.

        The verdicts are those that the engine will record: when this candidate is yielded, its
        verifiers do not run again. A changed copy keeps those `pass` verdicts that are put into its
        `verdicts`; the other verifiers run on it. Diversity filters have not looked yet.
        """


class Generator(ABC, Generic[SettingsT]):
    """A method that turns work items into candidates; tasks come from the source.

    A subclass names its settings as the class parameter: `class Gcd(Generator[GcdSettings])`.
    `item` is the type of source items it works on, None where it needs no source (it then makes its
    tasks itself, in `tasks` or `next_task`). `default_filters` run before the recipe's own
    filters; a recipe entry of the same name replaces a default.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    item: ClassVar[type | None]
    default_filters: ClassVar[tuple[FilterSpec, ...]] = ()
    Settings: type[Settings] = Settings

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Take `Settings` (and `State`) from the class parameters."""
        super().__init_subclass__(**keywords)
        for base in getattr(cls, "__orig_bases__", ()):
            for parameter, argument in zip(
                getattr(get_origin(base), "__parameters__", ()), get_args(base), strict=False
            ):
                if isinstance(argument, type):
                    setattr(cls, parameter.__name__.removesuffix("T"), argument)

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings

    @property
    def label(self) -> str:
        """`name@version`, as rows carry it."""
        return f"{self.name}@{self.version}"

    @property
    def roles(self) -> Mapping[str, Sequence[Form]] | None:
        """The model roles that it asks, each with the forms of its calls, which `check` tries.

        None where it does not say: then any roles may be given.
        """
        return None

    @property
    def rows_per_task(self) -> Mapping[Kind, int] | None:
        """The most candidates of each kind that a task gives; None where it does not say."""
        return None

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of rows that a target may name: those of accepted rows, with these settings.

        `kinds = ("sft",)` in a class says so too. Empty, the default, says nothing, and a target of
        a kind that never comes is not noticed.
        """
        return ()

    async def prepare(self, source: Source, resources: Resources) -> None:
        """Build what all tasks share (a corpus, an index), once, before the first task.

        It may be cancelled at any await, so long computations belong in workers or in
        `Resources.in_thread`.
        """

    def tasks(self, source: Source) -> Iterator[Task]:
        """Work items with stable keys; by default one for each item of the source."""
        for item in source.items():
            yield Task(key=item.key, item=item)

    @abstractmethod
    def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        """The candidates of a task. An exception fails the task, with its reason."""

    def describe(self, row: Row, verbose: bool = False) -> str | None:
        """The row's `detail` as text for a terminal, or None where JSON says it as well."""
        return None

    def picture(self, row: Row, media: Path) -> bytes | None:
        """A PNG that shows the row, or None; its media paths start at the folder `media`."""
        return None


class FeedbackGenerator(Generator[SettingsT], Generic[SettingsT, StateT]):
    """A generator whose next task depends on the outcomes of earlier ones.

    The task at `index` is a function of the state after outcome `index - lag` (the initial state
    for the first `lag` tasks), so `lag` tasks are in progress at most, no task waits for a whole
    round, and the tasks are the same at any concurrency. `lag` is `generator.feedback_lag` of the
    recipe.

    A subclass names settings and state: `class Crawl(FeedbackGenerator[CrawlSettings, Tree])`. The
    state is an immutable record; the engine stores it beside the dataset. With
    `generator.continue_state` a run starts from the newest state of its dataset and goes on with
    the next index.
    """

    State: type[StateT]

    def __init__(self, settings: SettingsT, lag: int = 64) -> None:
        super().__init__(settings)
        self.lag = lag

    def initial_state(self) -> StateT:
        """The state before the first outcome; by default all fields have their defaults."""
        return self.State()

    @abstractmethod
    async def next_task(self, index: int, state: StateT, context: Context) -> Task | None:
        """The task at `index`: a function of the arguments alone.

        None means that nothing is to be done before further outcomes are known; the run ends when
        `lag` indexes in a row have no task, as the state can change no more. Task keys must be
        unique within the run. `context` is keyed by the index.
        """

    @abstractmethod
    def update_state(self, state: StateT, outcome: TaskOutcome) -> StateT:
        """The state after one more outcome. Outcomes come one at a time, in the order of tasks."""

    def tasks(self, source: Source) -> Iterator[Task]:
        """Not used: the tasks come from `next_task`."""
        raise TypeError(f"{self.label} makes its tasks from feedback")
