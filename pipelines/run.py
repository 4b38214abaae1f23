"""Starting, resuming and previewing a run: the engine with its dataset, models and workers."""

import asyncio
import inspect
import math
import mimetypes
import secrets
import signal
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from synthmill.filters.run import warm_up
from synthmill.generators.base import MediaWriter, Resources
from synthmill.models.errors import RequestRejected, ServerUnavailable
from synthmill.models.registry import ModelRegistry
from synthmill.pipelines.context import Services
from synthmill.pipelines.dedup_index_sync import DedupIndexSync
from synthmill.pipelines.engine import Engine
from synthmill.pipelines.failure_log import FailureLog
from synthmill.pipelines.plan import Plan, check_source, make_plan
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.renaming import complete_rename
from synthmill.pipelines.run_store import RunStore, save_recipe, saved_recipe
from synthmill.pipelines.source_blocklist import SourceBlocklist
from synthmill.runtime.garbage import rare_collections
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import Media
from synthmill.schemas.plugins import load_object
from synthmill.schemas.recipe import Budget, Recipe
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.schemas.targets import Target, Targets
from synthmill.schemas.validation import validated
from synthmill.store import catalog
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.reports import at_work, log_path

ProgressCallback = Callable[[Progress], Awaitable[None] | None]
# Called after each commit with its version and the rows of the batch.
CommitCallback = Callable[[int, Sequence[Row]], Awaitable[None]]
PROGRESS_SECONDS = 0.25  # ours: between two calls of it
REPORT_SECONDS = 5.0  # ours: between two reports of a run at work


async def start(
    recipe: Recipe,
    home: Home,
    *,
    run_id: str | None = None,
    on_progress: ProgressCallback | None = None,
    on_commit: CommitCallback | None = None,
) -> RunReport:
    """Run a recipe and return the report; `on_progress` is called while it runs.

    SIGINT and SIGTERM end the run gracefully: what is settled is committed.

    Raises:
        InputError: the recipe, its source, its models or the disk cannot be used.
    """
    plan = make_plan(recipe)
    await asyncio.to_thread(check_source, plan.source)  # before anything is written
    run_id = run_id or new_run_id(recipe)
    complete_rename(home)
    save_recipe(home.prepare(), run_id, plan.recipe)
    return await _execute(plan, home, run_id, home, on_progress, on_commit)


async def resume(
    run_id: str,
    home: Home,
    *,
    target: Target | None = None,
    budget: Budget | None = None,
    on_progress: ProgressCallback | None = None,
    on_commit: CommitCallback | None = None,
) -> RunReport:
    """Continue a run from its last commit; with a new target or budget if they are given.

    Raises:
        InputError: there is no such run, the target is wrong, or what `start` raises.
    """
    complete_rename(home)
    recipe = saved_recipe(home, run_id)
    changes = {
        name: value for name, value in (("target", target), ("budget", budget)) if value is not None
    }
    if changes:
        # Checked as a whole: what is saved here is read by every later resume.
        changed = {**recipe.model_dump(), **changes}
        recipe = validated(Recipe, changed, f"run {run_id}")
    plan = make_plan(recipe)
    await asyncio.to_thread(check_source, plan.source)
    if changes:
        save_recipe(home, run_id, recipe)
    return await _execute(plan, home, run_id, home, on_progress, on_commit)


async def preview(
    recipe: Recipe, home: Home, *, rows: int = 3, on_progress: ProgressCallback | None = None
) -> tuple[list[Row], RunReport]:
    """Make a few rows in a throw-away home and return them, rejected ones too.

    Where the generator says that it makes several kinds, at least one row of each is wanted.
    The response cache is the real one, so a run that follows does not pay for them again.

    Raises:
        InputError: as `start`.
    """
    small = recipe.model_copy(
        update={
            "target": _few(make_plan(recipe), rows),
            "budget": recipe.budget.model_copy(update={"candidates": max(20, 10 * rows)}),
            "engine": recipe.engine.model_copy(update={"concurrency": min(8, rows)}),
        }
    )
    home.prepare()
    with tempfile.TemporaryDirectory(prefix="synthmill-preview-") as folder:
        aside = Home(folder)
        report = await _execute(make_plan(small), aside, "preview", home, on_progress)
        return list(Dataset.open(aside, recipe.output.dataset).rows(status=None)), report


def _few(plan: Plan, rows: int) -> Target:
    """The target of a preview: `rows` rows, shared by the kinds that the recipe makes."""
    limits = Targets(plan.recipe.target).limits
    none = [kind for kind in plan.generator.kinds if limits.get(kind) == 0]
    kinds = [kind for kind in plan.generator.kinds if kind not in none]
    if len(kinds) < 2:
        return rows
    return {kind: math.ceil(rows / len(kinds)) for kind in kinds} | dict.fromkeys(none, 0)


def new_run_id(recipe: Recipe) -> str:
    """A fresh run id: the recipe's name, the time, and four random digits."""
    return f"{recipe.name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


async def _execute(
    plan: Plan,
    home: Home,
    run_id: str,
    cached: Home,
    on_progress: ProgressCallback | None,
    on_commit: CommitCallback | None = None,
) -> RunReport:
    """Work on a run, which is listed from its start to its end, whatever the end is."""
    with at_work(home, run_id), rare_collections():
        dataset = Dataset.create(home, plan.recipe.output.dataset)
        store = RunStore(plan, dataset, run_id)
        store.write_report()
        await asyncio.to_thread(home.remove_abandoned)
        catalog.refresh(home)
        try:
            report = await _work(plan, dataset, store, run_id, cached, on_progress, on_commit)
        except BaseException as error:
            store.end(error)
            raise
    catalog.refresh(home)
    return report


async def _work(
    plan: Plan,
    dataset: Dataset,
    store: RunStore,
    run_id: str,
    cached: Home,
    on_progress: ProgressCallback | None,
    on_commit: CommitCallback | None,
) -> RunReport:
    recipe = plan.recipe
    plan.source.cache = cached.cache
    blocklist = SourceBlocklist(dataset)
    give_up_after_seconds = 60 * recipe.engine.give_up_after_minutes
    registry = ModelRegistry(
        recipe.models,
        cache=cached.responses,
        media_dir=dataset.folder,
        give_up_after_seconds=give_up_after_seconds,
    )
    # Workers know the code that the recipe brings along, so that they can unpickle its functions.
    named = (recipe.generator.name, recipe.source.type if recipe.source else "")
    places = [name for name in named if ":" in name]
    warm: list[Callable[[], object]] = [
        partial(load_object, place, recipe.folder) for place in places
    ]
    warm += warm_up(stage.filter for stage in plan.verifiers)
    async with (
        opened(registry) as models,
        WorkerPool(recipe.engine.workers, warm=warm) as workers,
    ):
        write_media = media_writer(dataset)
        services = Services(recipe.seed, models, workers, write_media, plan.verifiers, blocklist)
        log = FailureLog(log_path(dataset.home, run_id))
        engine = Engine(plan, services, store.checkpoint, run_id, log, store.accepted, store.states)
        store.engine = engine
        resources = Resources(models, workers, cached.cache, write_media, engine.show_preparation)
        async with (
            _reporting(engine, store, on_progress),
            blocklist.watching(),
            aclosing(engine.batches(resources)) as batches,
        ):
            diversity = [stage.filter for stage in plan.diversity]
            index = await asyncio.to_thread(
                DedupIndexSync, dataset, diversity, engine.show_preparation
            )
            with _signals(engine):
                async for batch in batches:
                    version = await store.commit(batch)
                    await asyncio.to_thread(index.committed, version)
                    if on_commit is not None:
                        await on_commit(version, batch.rows)
        await asyncio.to_thread(store.reject_deleted, engine.checkpoint.tally)
        report = store.write_report(engine.stop)
    index.save()
    return report


@asynccontextmanager
async def opened(models: ModelRegistry) -> AsyncIterator[ModelRegistry]:
    """The opened models; a back end that does not start is an `InputError`."""
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(models)
        except (ServerUnavailable, RequestRejected) as error:
            raise InputError(str(error)) from error
        yield models


def media_writer(dataset: Dataset) -> MediaWriter:
    """What stores the media of a dataset's rows."""

    def write(data: bytes, kind: Any, mime: str, detail: str | None) -> Media:
        suffix = mimetypes.guess_extension(mime) or ".bin"
        path, digest = dataset.put_media(data, suffix)
        return Media(kind=kind, path=path, sha256=digest, mime=mime, detail=detail)

    return write


@asynccontextmanager
async def _reporting(
    engine: Engine, store: RunStore, on_progress: ProgressCallback | None
) -> AsyncIterator[None]:
    """Call `on_progress` a few times a second, and once more at the end; keep the report current.

    A run that is killed is listed with the figures of its last report.
    """

    async def call() -> None:
        if on_progress is not None:
            answer = on_progress(engine.progress())
            if inspect.isawaitable(answer):
                await answer

    async def call_often() -> None:
        written = time.monotonic()
        while not ended.is_set():
            await call()
            if time.monotonic() >= written + REPORT_SECONDS:
                written = time.monotonic()
                with suppress(InputError):  # a full disk: the next commit says so
                    store.write_report()
            with suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), PROGRESS_SECONDS)

    ended = asyncio.Event()
    calls = asyncio.create_task(call_often())
    try:
        yield
    finally:
        # Not cancelled: a callback that is cut off while it writes does not know what it wrote.
        ended.set()
        await calls
        await call()


@contextmanager
def _signals(engine: Engine) -> Iterator[None]:
    """Let the first SIGINT or SIGTERM end the run gracefully; a second one acts at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Prefect may run a flow in a thread, where signals cannot be handled
        return
    loop = asyncio.get_running_loop()

    def interrupt(name: str) -> None:
        restore()
        engine.interrupt(name)

    def restore() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt, number.name)
    try:
        yield
    finally:
        restore()
