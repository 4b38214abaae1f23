"""What a run leaves on disk: its commits, feedback states, report and recipe."""

import asyncio
import importlib.metadata
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import yaml

from synthmill.generators.base import FeedbackGenerator
from synthmill.pipelines.accepted_ids import AcceptedIds
from synthmill.pipelines.checkpoint import Checkpoint, Tally
from synthmill.pipelines.engine import Batch, Engine
from synthmill.pipelines.feedback import SavedStates
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.plan import Plan
from synthmill.pipelines.rows import copy_rejected
from synthmill.pipelines.source_blocklist import DeletedRows
from synthmill.pipelines.stop_conditions import StopStatus
from synthmill.runtime.files import atomic_write
from synthmill.schemas.arrow import rows_to_table
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.report import RunReport
from synthmill.schemas.usage import Usage
from synthmill.store import catalog
from synthmill.store.blocklist import blocked_patterns
from synthmill.store.dataset import Dataset
from synthmill.store.errors import translate_errors
from synthmill.store.home import Home
from synthmill.store.metadata import CommitMetadata
from synthmill.store.reports import report_path
from synthmill.store.reward_files import keep_reward_files

CODE_VERSION = importlib.metadata.version("synthmill")
RECIPE_FILE = "recipe.yaml"


class RunStore:
    """Commits the batches of one run, and reads back where it stands.

    `checkpoint` is the position of the run's last commit, or the start of a new run; `states` are
    the feedback states that belong to it. Once the engine works, `engine` has the newer figures.

    Raises:
        InputError: a stored state is missing.
    """

    def __init__(self, plan: Plan, dataset: Dataset, run_id: str) -> None:
        self._plan = plan
        self._dataset = dataset
        self._run_id = run_id
        self.accepted = AcceptedIds(dataset)
        self._continues: str | None = None
        last = dataset.last_commit(run_id)
        self._next_batch = 0 if last is None else last[0] + 1
        self.states: SavedStates | None = None
        self.engine: Engine | None = None
        self._deleted = self._deleted_rows(resumed=last is not None)
        if last is not None:
            self.checkpoint = Checkpoint.model_validate_json(last[1].checkpoint)
            self.reject_deleted(self.checkpoint.tally)
            if self.checkpoint.state is not None:
                self.states = SavedStates.load(self._read_state, self.checkpoint.state)
        else:
            self.checkpoint = Checkpoint(started_at=datetime.now(UTC))
            if plan.recipe.generator.continue_state:
                self._continue_state()
            elif earlier := earlier_run(plan, dataset):
                self._continues = earlier.run_id
                self._begin_behind(Checkpoint.model_validate_json(earlier.checkpoint))

    async def commit(self, batch: Batch) -> int:
        """Commit a batch with the position behind it, and return the version.

        Raises:
            InputError: the dataset cannot be written, or another process works on this run.
        """
        return await asyncio.to_thread(self._commit, batch)

    def reject_deleted(self, tally: Tally) -> None:
        """Count rows as rejected that were committed before their source was deleted."""
        self._deleted.reject(tally, [])

    def _deleted_rows(self, *, resumed: bool) -> DeletedRows:
        last = self._versions()[-1] if resumed else None
        known = blocked_patterns(self._dataset.at(last))
        return DeletedRows(self._dataset, self._run_id, known, last)

    def end(self, error: BaseException) -> None:
        """Write the report of a run that an exception ended."""
        stop = StopStatus("failed", str(error) or type(error).__name__)
        if isinstance(error, KeyboardInterrupt | asyncio.CancelledError):
            stop = StopStatus("interrupted", "stopped at once")
        with suppress(InputError):  # the error itself is what the user must see
            self.write_report(stop)
            catalog.rebuild(self._dataset.home)

    def write_report(self, stop: StopStatus | None = None) -> RunReport:
        """Write the report of the run so far, with the reason of its end if it has ended."""
        recipe, engine = self._plan.recipe, self.engine
        position = self.checkpoint if engine is None else engine.checkpoint
        tally = position.tally
        report = RunReport(
            run_id=self._run_id,
            recipe=recipe.name,
            recipe_hash=self._plan.recipe_hash,
            dataset=recipe.output.dataset,
            generator=self._plan.generator.label,
            seed=recipe.seed,
            started_at=position.started_at,
            ended_at=datetime.now(UTC) if stop else None,
            seconds=position.seconds if engine is None else engine.seconds,
            target=recipe.target,
            stop=stop.reason if stop else None,
            stop_detail=stop.detail if stop else None,
            tasks=tally.tasks,
            emitted=tally.emitted,
            accepted=tally.accepted,
            rejected=tally.rejected,
            failed=tally.failed,
            failures=dict(tally.failures),
            by_kind=dict(tally.by_kind),
            rejections={kind: dict(counts) for kind, counts in tally.rejections.items()},
            funnel=list(tally.funnel.values()),
            usage=position.usage if engine is None else engine.usage(),
            continues=self._continues,
            used=tally.usage + position.partial,
            unused=Usage() if engine is None else engine.unused,
            versions=self._versions() if stop else [],
        )
        save_report(self._dataset.home, report)
        return report

    def _versions(self) -> list[int]:
        """Every version that this run committed, also before it was resumed."""
        history = self._dataset.history()
        return [v.version for v in history if v.commit and v.commit.run_id == self._run_id]

    def _commit(self, batch: Batch) -> int:
        for name, text in batch.states.items():
            if not self._path_of(name).is_file():
                _write(self._path_of(name), text)
        rewards = {row.reward for row in batch.rows if row.reward and row.status == "accepted"}
        folder = self._plan.recipe.folder or Path.cwd()
        keep_reward_files(self._dataset.home, self._run_id, folder, sorted(rewards))
        table, metadata = self._contents(batch)

        def revise() -> tuple[pa.Table, CommitMetadata]:
            seen = None
            while seen != (seen := self._dataset.version):  # both have looked at the same version
                self._reject_copies(batch)
                self._deleted.reject(batch.checkpoint.tally, batch.rows)
            return self._contents(batch)

        version = self._dataset.commit(
            table, run_id=self._run_id, batch=self._next_batch, metadata=metadata, revise=revise
        )
        if version is None:
            raise InputError(
                f"run {self._run_id}: another process has committed batch {self._next_batch}; "
                "let it finish, or resume once it has ended"
            )
        self._next_batch += 1
        self.accepted.committed(version)
        self._deleted.committed(version)
        return version

    def _reject_copies(self, batch: Batch) -> None:
        """Reject rows that another run has committed since this one accepted them."""
        others = self.accepted.of_others()
        for place, row in enumerate(batch.rows):
            if row.status == "accepted" and row.id in others:
                batch.rows[place] = rejected = copy_rejected(row)
                batch.checkpoint.tally.uncount_row(row)
                batch.checkpoint.tally.count_row(rejected)

    def _contents(self, batch: Batch) -> tuple[pa.Table, CommitMetadata]:
        recipe, position, tally = self._plan.recipe, batch.checkpoint, batch.checkpoint.tally
        metadata = CommitMetadata(
            run_id=self._run_id,
            batch=self._next_batch,
            checkpoint=position.model_dump_json(),
            state=position.state,
            recipe_hash=self._plan.recipe_hash,
            recipe=recipe.model_dump_json(exclude={"folder"}),
            generator=self._plan.generator.label,
            models={role: f"{spec.backend}:{spec.model}" for role, spec in recipe.models.items()},
            counts={
                "emitted": tally.emitted,
                "accepted": tally.accepted,
                "rejected": tally.rejected,
                "failed": tally.failed,
            },
            cost=batch.cost,
            code_version=CODE_VERSION,
        )
        return rows_to_table(batch.rows), metadata

    def _path_of(self, state: str) -> Path:
        return self._dataset.folder / "state" / f"{state}.json"

    def _read_state(self, state: str) -> str:
        path = self._path_of(state)
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise InputError(f"the state {path} cannot be read: {error.strerror}") from error

    def _begin_behind(self, earlier: Checkpoint) -> None:
        """Begin with the next source items, or with the next indexes of a feedback generator."""
        self.checkpoint.first_task = self.checkpoint.task = earlier.task
        self.checkpoint.last_key = earlier.last_key
        if not isinstance(self._plan.generator, FeedbackGenerator):
            self.checkpoint.candidate = earlier.candidate

    def _continue_state(self) -> None:
        """Begin behind the newest commit of this generator that holds a state."""
        for version in reversed(self._dataset.history()):
            commit = version.commit
            if commit and commit.state and commit.generator == self._plan.generator.label:
                earlier = Checkpoint.model_validate_json(commit.checkpoint)
                self.checkpoint.first_task = self.checkpoint.task = earlier.task
                self.states = SavedStates.load(self._read_state, commit.state).newest()
                return


def earlier_run(plan: Plan, dataset: Dataset) -> CommitMetadata | None:
    """The commit of a run of this recipe that came furthest; a new run begins behind it."""
    same = (
        version.commit
        for version in dataset.history()
        if version.commit and version.commit.recipe_hash == plan.recipe_hash
    )
    return max(same, key=_reached, default=None)


def _reached(commit: CommitMetadata) -> tuple[int, int]:
    position = Checkpoint.model_validate_json(commit.checkpoint)
    return position.task, position.candidate


def save_recipe(home: Home, run_id: str, recipe: Recipe) -> None:
    """Keep the recipe of a run, for `resume`.

    Raises:
        InputError: the folder cannot be written.
    """
    placed = recipe.model_copy(update={"folder": recipe.folder or Path.cwd()})
    text = yaml.safe_dump(placed.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    _write(home.run(run_id) / RECIPE_FILE, text)


def save_report(home: Home, report: RunReport) -> None:
    """Write the report of a run.

    Raises:
        InputError: the folder cannot be written.
    """
    _write(report_path(home, report.run_id), report.model_dump_json(indent=2))


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


def _write(path: Path, text: str) -> None:
    with translate_errors(str(path.parent)):
        atomic_write(path, text)
