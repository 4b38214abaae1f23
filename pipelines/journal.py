"""The record of a run: its commits, its report and its recipe on disk."""

import asyncio
import importlib.metadata
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import yaml

from synthmill.models.registry import ModelRegistry
from synthmill.pipelines.bounds import Stop
from synthmill.pipelines.cursor import Cursor
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.memory import Memory
from synthmill.pipelines.plan import Plan
from synthmill.runtime.files import atomic_write
from synthmill.schemas.arrow import rows_to_table
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.schemas.usage import add_usages
from synthmill.store.dataset import Dataset
from synthmill.store.faults import mended
from synthmill.store.home import Home
from synthmill.store.metadata import CommitMetadata

CODE_VERSION = importlib.metadata.version("synthmill")
RECIPE_FILE = "recipe.yaml"


class Journal:
    """Commits the batches of one run and keeps its report up to date."""

    def __init__(
        self, plan: Plan, dataset: Dataset, memory: Memory, models: ModelRegistry, run_id: str
    ) -> None:
        self._plan = plan
        self._dataset = dataset
        self._memory = memory
        self._models = models
        self._run_id = run_id
        last = dataset.last_commit(run_id)
        self._next_batch = 0 if last is None else last[0] + 1
        self._cursor = Cursor() if last is None else Cursor.model_validate_json(last[1].cursor)
        self._usage_before = dict(self._cursor.usage)
        self._started = self._cursor.started_at or datetime.now(UTC)
        self._committed = self._mark(self._cursor)

    def cursor(self) -> Cursor:
        """Where the last commit of the run left off; the start for a new run."""
        return self._cursor

    def recall(self, task_keys: Collection[str]) -> dict[str, list[Row]]:
        """The rows that this run has committed for these tasks, in their order."""
        found: dict[str, list[Row]] = {}
        for row in self._dataset.rows(status=None):
            if row.run_id == self._run_id and row.task_key in task_keys:
                found.setdefault(row.task_key, []).append(row)
        return found

    async def commit(self, rows: Sequence[Row], cursor: Cursor) -> None:
        """Commit rows with the cursor behind them; nothing happens when nothing has changed.

        Raises:
            InputError: the dataset cannot be written, or another process works on this run.
        """
        cursor.usage = add_usages(self._usage_before, self._models.usage)
        cursor.started_at = self._started
        if self._mark(cursor) != self._committed:
            await asyncio.to_thread(self._commit, rows, cursor)
            self._committed = self._mark(cursor)
        self.write(cursor, None)

    def write(self, cursor: Cursor, stop: Stop | None) -> RunReport:
        """Write the report as it stands, with the reason of the end if it is one."""
        report = self._report(cursor, stop)
        if stop is not None:
            report = report.model_copy(update={"versions": self._versions()})
        text = report.model_dump_json(indent=2)
        folder = self._dataset.home.run(self._run_id)
        with mended(str(folder)):
            atomic_write(folder / "report.json", text)
        return report

    def _versions(self) -> list[int]:
        """Every version that this run committed, also before it was resumed."""
        history = self._dataset.history()
        return [v.version for v in history if v.commit and v.commit.run_id == self._run_id]

    def _commit(self, rows: Sequence[Row], cursor: Cursor) -> None:
        recipe, tally = self._plan.recipe, cursor.tally
        metadata = CommitMetadata(
            run_id=self._run_id,
            batch=self._next_batch,
            cursor=cursor.model_dump_json(),
            recipe_hash=recipe.hash,
            recipe=recipe.model_dump_json(),
            generator=self._plan.generator.label,
            models={role: f"{spec.backend}:{spec.model}" for role, spec in recipe.models.items()},
            counts={
                "emitted": tally.emitted,
                "accepted": tally.accepted,
                "rejected": tally.rejected,
                "failed": tally.failed,
            },
            code_version=CODE_VERSION,
        )
        table = rows_to_table(rows)
        version = self._dataset.commit(
            table, run_id=self._run_id, batch=self._next_batch, metadata=metadata
        )
        if version is None:
            raise InputError(
                f"run {self._run_id}: another process has committed batch {self._next_batch}; "
                "let it finish, or resume once it has ended"
            )
        self._next_batch += 1
        self._memory.committed(version)

    def _report(self, cursor: Cursor, stop: Stop | None) -> RunReport:
        recipe, tally = self._plan.recipe, cursor.tally
        return RunReport(
            run_id=self._run_id,
            recipe=recipe.name,
            recipe_hash=recipe.hash,
            dataset=recipe.output.dataset,
            generator=self._plan.generator.label,
            seed=recipe.seed,
            started_at=self._started,
            ended_at=datetime.now(UTC) if stop else None,
            stop=stop.reason if stop else None,
            stop_detail=stop.detail if stop else None,
            tasks=tally.tasks,
            emitted=tally.emitted,
            accepted=tally.accepted,
            rejected=tally.rejected,
            failed=tally.failed,
            failures=dict(tally.failures),
            by_kind=dict(tally.by_kind),
            funnel=tally.stages(),
            used=replace(tally.usage),
            usage=add_usages(self._usage_before, self._models.usage),
        )

    @staticmethod
    def _mark(cursor: Cursor) -> tuple[int, int, int, int]:
        """What changes whenever there is something to commit."""
        return cursor.round, cursor.tasks, cursor.within, cursor.tally.emitted


def save_recipe(home: Home, run_id: str, recipe: Recipe) -> None:
    """Keep the recipe of a run, for `resume`.

    Raises:
        InputError: the folder cannot be written.
    """
    text = yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    folder = home.run(run_id)
    with mended(str(folder)):
        atomic_write(folder / RECIPE_FILE, text)


def saved_recipe(home: Home, run_id: str) -> Recipe:
    """The recipe of an earlier run.

    Raises:
        InputError: there is no such run in this home.
    """
    path = home.run(run_id) / RECIPE_FILE
    if not path.is_file():
        latest = ", ".join(home.run_ids()[-5:]) or "none yet"
        raise InputError(f"there is no run {run_id!r} in {home.path}; runs: {latest}")
    return read_recipe(path)
