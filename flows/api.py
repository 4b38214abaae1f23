"""The Python API that `synthmill` exports: runs, datasets, SQL and exports without the terminal.

`run`, `preview` and `resume` use the engine directly, with or without a configured Prefect API.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from synthmill.flows.recipes import RecipeLike, load_recipe
from synthmill.pipelines import run as engine
from synthmill.pipelines.progress import Progress
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Kind, Row
from synthmill.schemas.targets import Target
from synthmill.store import catalog
from synthmill.store.dataset import Dataset
from synthmill.store.export import ExportSummary
from synthmill.store.export import export as export_dataset
from synthmill.store.exports.base import load_exporter
from synthmill.store.home import Home
from synthmill.store.query import open_catalog
from synthmill.store.snapshot import DatasetSnapshot

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")
OnProgress = Callable[[Progress], None]


def run(
    recipe: RecipeLike,
    *,
    home: str | Path | None = None,
    target: Target | None = None,
    changes: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Run a recipe until its target is met or its budget is spent, and return the report.

    Rows are committed to the recipe's dataset while the run works. In a notebook, where an event
    loop is running already, the run works in a thread of its own; interrupting the cell stops it,
    and `resume` continues it.

    Args:
        recipe: a file, the name of a shipped recipe, a mapping with the keys of a recipe file, or a
            `Recipe`.
        home: the data folder; `$SYNTHMILL_HOME` or `./factory` by default.
        target: accepted rows to make, instead of the recipe's target: a number, or numbers by
            kind such as `{"sft": 100, "rlvr": 50}`.
        changes: values for other keys, such as `{"engine.concurrency": 8}`.
        on_progress: called a few times per second with the state of the run.

    Raises:
        InputError: something the user can correct; the message says what and where.
    """
    return complete(
        run_async(recipe, home=home, target=target, changes=changes, on_progress=on_progress)
    )


async def run_async(
    recipe: RecipeLike,
    *,
    home: str | Path | None = None,
    target: Target | None = None,
    changes: Mapping[str, Any] | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """`run` for code that is asynchronous itself."""
    made = load_recipe(recipe, _with_target(changes, target))
    return await engine.start(made, Home.find(home), on_progress=on_progress)


def resume(
    run_id: str,
    *,
    home: str | Path | None = None,
    target: Target | None = None,
    on_progress: OnProgress | None = None,
) -> RunReport:
    """Continue a run that was interrupted, failed or killed; no model call is paid for twice.

    Raises:
        InputError: there is no such run, or what `run` raises.
    """
    return complete(engine.resume(run_id, Home.find(home), target=target, on_progress=on_progress))


def preview(
    recipe: RecipeLike,
    *,
    rows: int = 3,
    home: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> tuple[list[Row], RunReport]:
    """Make a few rows, rejected ones too, and commit nothing.

    Model answers stay in the response cache, so that a run afterwards does not pay for them again.

    Raises:
        InputError: as `run`.
    """
    return complete(preview_async(recipe, rows=rows, home=home, changes=changes))


async def preview_async(
    recipe: RecipeLike,
    *,
    rows: int = 3,
    home: str | Path | None = None,
    changes: Mapping[str, Any] | None = None,
) -> tuple[list[Row], RunReport]:
    """`preview` for code that is asynchronous itself."""
    return await engine.preview(load_recipe(recipe, changes), Home.find(home), rows=rows)


def open_dataset(
    name: str, version: int | str | None = None, *, home: str | Path | None = None
) -> DatasetSnapshot:
    """A version of a dataset: a number or a tag, the newest by default.

    Raises:
        InputError: there is no such dataset or version.
    """
    return DatasetSnapshot(Dataset.open(Home.find(home), name), version)


def connect(home: str | Path | None = None) -> "duckdb.DuckDBPyConnection":
    """A DuckDB connection on the catalog of all datasets and runs, brought up to date first.

    The catalog is attached read-only; the connection's own database is in memory and may hold
    temporary tables. docs/datasets-and-sql.md lists the tables and views.

    Raises:
        InputError: there is no data folder yet.
    """
    return open_catalog(catalog.refresh(Home.find(home)))


def export(
    dataset: str | DatasetSnapshot,
    to: str,
    out: str | Path,
    *,
    version: int | str | None = None,
    kinds: Sequence[Kind] | None = None,
    splits: Sequence[str] | None = None,
    where: str | None = None,
    settings: Mapping[str, Any] | None = None,
    force: bool = False,
    home: str | Path | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> ExportSummary:
    """Write the accepted rows of a dataset in the form that a trainer reads.

    Args:
        dataset: a dataset's name, or what `open_dataset` returned (its version is exported).
        to: the exporter, such as `trl`; `synthmill exporters` lists them.
        out: the folder to write; it appears complete or not at all.
        version: a number or a tag, the newest by default.
        kinds: only rows of these kinds.
        splits: only rows of these splits.
        where: an SQL condition on the columns of the row, such as `pass_rate < 0.5`.
        settings: the exporter's settings.
        force: replace an earlier export.
        home: the data folder, where `dataset` is a name.
        on_progress: called often with the rows read so far and their number.

    Raises:
        InputError: nothing to export, or one of the arguments cannot be used.
    """
    if isinstance(dataset, DatasetSnapshot):
        opened, version = dataset.dataset, dataset.version
    else:
        opened = Dataset.open(Home.find(home), dataset)
    return export_dataset(
        opened,
        load_exporter(to, dict(settings or {})),
        Path(out),
        version=version,
        kinds=kinds,
        splits=splits,
        where=where,
        force=force,
        on_progress=on_progress,
    )


def _with_target(changes: Mapping[str, Any] | None, target: Target | None) -> Mapping[str, Any]:
    return {**(changes or {}), **({} if target is None else {"target": target})}


def complete(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, also where this thread's event loop is running already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def cancellable() -> T:
        task = asyncio.current_task()
        assert task is not None
        started.set_result((asyncio.get_running_loop(), task))
        return await work

    with ThreadPoolExecutor(1, thread_name_prefix="synthmill") as executor:
        result = executor.submit(asyncio.run, cancellable())
        try:
            return result.result()
        except KeyboardInterrupt:
            loop, task = started.result()
            loop.call_soon_threadsafe(task.cancel)
            raise
