"""The loop: tasks become candidates, candidates become rows, rows leave in batches.

Tasks run concurrently and are settled in task order, so the same recipe, seed and model responses
give the same rows at any concurrency.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, closing
from dataclasses import dataclass
from itertools import islice, repeat

from synthmill.generators.base import FeedbackGenerator, Generator, Resources, Task
from synthmill.models.errors import ConfigurationError, ServerUnavailable
from synthmill.pipelines.accepted_ids import AcceptedIds
from synthmill.pipelines.checkpoint import Checkpoint
from synthmill.pipelines.context import Services, TaskContext
from synthmill.pipelines.failure_log import FailureLog
from synthmill.pipelines.feedback import FeedbackLoop, SavedStates
from synthmill.pipelines.judging import FilterError
from synthmill.pipelines.ordered_concurrency import OrderedConcurrency
from synthmill.pipelines.plan import Plan
from synthmill.pipelines.progress import Preparation, Progress
from synthmill.pipelines.rows import RowMaker
from synthmill.pipelines.stop_conditions import AdmissionControl, StopStatus, bound_reached
from synthmill.pipelines.task_result import TaskResult, generate
from synthmill.pipelines.time_left import Rate, TimeLeft
from synthmill.schemas.errors import InputError
from synthmill.schemas.row import Row
from synthmill.schemas.targets import Targets
from synthmill.schemas.usage import PromptUsage, RunCost, Usage, add_usages

SIZE_SECONDS = 1.0  # ours: to count the items of a source, for the time left
# Ours: what a run says that has nothing left to do.
NOTHING_LEFT = (
    "nothing is left after earlier runs of this recipe: give another seed (--set seed=N) "
    "or a larger source"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to commit, the position behind them, feedback states by name, and the cost so far."""

    rows: list[Row]
    checkpoint: Checkpoint
    states: dict[str, str]
    cost: RunCost


class Engine:
    """One run of a plan, from `checkpoint` on.

    `states` are those of a feedback generator that belong to the checkpoint. After `batches` has
    ended, `stop` says why.
    """

    def __init__(
        self,
        plan: Plan,
        services: Services,
        checkpoint: Checkpoint,
        run_id: str,
        log: FailureLog,
        accepted: AcceptedIds,
        states: SavedStates | None = None,
    ) -> None:
        recipe, generator = plan.recipe, plan.generator
        self.checkpoint = checkpoint
        self.stop: StopStatus | None = None
        self._plan = plan
        self._services = services
        self._log = log
        self._row_maker = RowMaker(plan, run_id, accepted)
        self._time_left = TimeLeft(recipe, None, checkpoint.task)
        self._estimated: tuple[float, float | None] = (0.0, None)
        self._call_rate = Rate()
        self._targets = Targets(recipe.target)
        self._admission = AdmissionControl(self._targets, recipe.budget)
        self._concurrency = OrderedConcurrency(recipe.engine.concurrency)
        self._feedback: FeedbackLoop | None = None
        if isinstance(generator, FeedbackGenerator):
            self._feedback = FeedbackLoop(generator, checkpoint.first_task, checkpoint.task, states)
        self._next_start = checkpoint.task
        self._rows: list[Row] = []
        self._changed = False
        self._usage_before = dict(checkpoint.usage)
        self._open: dict[int, Usage] = {}
        self._last_batch = self._begun = time.monotonic()
        self._interrupted: str | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._preparation: Preparation | None = None

    def interrupt(self, reason: str) -> None:
        """End the run soon: what is settled leaves as a last batch."""
        self._interrupted = reason
        self._concurrency.stop()
        if self._preparing is not None:
            self._preparing.cancel()

    def progress(self) -> Progress:
        """Where the run stands."""
        tally = self.checkpoint.tally
        rejects = Counter(
            {
                f"{name}: {reason}": count
                for name, stage in tally.funnel.items()
                for reason, count in stage.reasons.items()
            }
        )
        usage = self.usage().values()
        asked = sum((used.asked for used in usage), Usage())
        return Progress(
            accepted=tally.accepted,
            targets=self._targets,
            by_kind=dict(tally.by_kind),
            rejected=tally.rejected,
            failed=tally.failed,
            tasks=tally.tasks,
            in_progress=self._concurrency.in_progress,
            prompt_tokens=asked.prompt_tokens,
            generated_tokens=asked.completion_tokens,
            dollars=asked.dollars,
            seconds=self.seconds,
            rejects=rejects,
            status=str(self._preparation or "") or self._services.models.status(),
            preparation=self._preparation,
            calls=asked.calls,
            calls_per_second=self._call_rate.add(asked.calls),
            call_failures=sum((Counter(used.failures) for used in usage), Counter()),
            seconds_left=self._seconds_left(),
        )

    def _seconds_left(self) -> float | None:
        """The estimate, made anew once a second."""
        now = time.monotonic()
        if now >= self._estimated[0] + 1:
            self._estimated = now, self._time_left.seconds(self.checkpoint.tally, self.seconds)
        return self._estimated[1]

    @property
    def unused(self) -> Usage:
        """What the tasks have used that were started and not settled when the run ended."""
        return sum(self._open.values(), Usage()) if self.stop is not None else Usage()

    async def batches(self, resources: Resources) -> AsyncGenerator[Batch, None]:
        """Work until a bound is reached, the tasks are exhausted or the run is interrupted.

        A batch counts as committed once the next one is requested. The last one holds what was
        settled before the end, also when an `InputError` ends the run.

        Raises:
            InputError: something the user must repair (a wrong key, a full disk).
        """
        try:
            self.stop = self._bound()  # resumed with nothing left to do
            prepared = self.stop is None and await self._prepare(resources)
            if prepared:
                size = await self._source_size()
                self._time_left = TimeLeft(self._plan.recipe, size, self.checkpoint.task)
            while prepared and self.stop is None:
                stream = self._concurrency.stream(self._starts(), self._work, self._may_start)
                async with aclosing(stream) as results:
                    async for index, result in results:
                        self.stop = self._settle(index, result)
                        if self.stop is not None:
                            break
                        if self._batch_is_full():
                            yield self._take_batch()
                if self.stop is None or self.stop.reason != "target met":
                    break
                yield self._take_batch()
                # Rows that another run had committed meanwhile do not count: the run goes on.
                self.stop = self._bound()
                self._restart()
        except (ServerUnavailable, FilterError) as error:
            self.stop = StopStatus("failed", str(error))
        except InputError:
            if self._worth_a_commit:
                yield self._take_batch()
            raise
        self.stop = self._final(self.stop)
        if self._worth_a_commit:
            yield self._take_batch()

    async def _source_size(self) -> int | None:
        """The number of tasks, where the generator has one for each item of a source of known size.

        It is found before the first task, so that reading it costs the tasks nothing.
        """
        plan = self._plan
        if self._feedback is not None or type(plan.generator).tasks is not Generator.tasks:
            return None
        return await asyncio.to_thread(plan.source.size, SIZE_SECONDS)

    def _restart(self) -> None:
        """Forget the tasks in progress, which the end of the stream has cancelled."""
        self._admission = AdmissionControl(self._targets, self._plan.recipe.budget)
        self._next_start = self.checkpoint.task
        self._time_left.cancelled()
        if self.stop is None:
            self._open.clear()

    async def _prepare(self, resources: Resources) -> bool:
        """Prepare the generator; False if the run was interrupted meanwhile."""
        generator, source = self._plan.generator, self._plan.source
        self._preparing = asyncio.create_task(generator.prepare(source, resources))
        try:
            await self._preparing
        except asyncio.CancelledError:
            if self._interrupted is None:
                raise
        finally:
            self._preparing = self._preparation = None
        return self._interrupted is None

    def show_preparation(self, message: str, done: int, total: int | None) -> None:
        """Show how far `Generator.prepare` is, as `Resources.progress`."""
        self._preparation = Preparation(message, done, total)

    def _starts(self) -> Iterator[tuple[int, Task | None]]:
        """Indexes of tasks, with the task where the source decides it."""
        tasks = repeat(None) if self._feedback is not None else self._source_tasks()
        for index, task in enumerate(tasks, self.checkpoint.task):
            self._next_start = index + 1
            self._admission.started()
            self._time_left.started(index)
            yield index, task

    def _source_tasks(self) -> Iterator[Task]:
        """The tasks from the run's position on.

        A new run begins behind an earlier one only if the source still has the task there that the
        earlier run settled last; otherwise it begins at the start.
        """
        checkpoint = self.checkpoint
        tasks = self._plan.generator.tasks(self._plan.source)
        passed = deque(islice(tasks, checkpoint.task), maxlen=1)
        new = checkpoint.first_task == checkpoint.task > 0 and not checkpoint.tally.emitted
        if new and [task.key for task in passed] != [checkpoint.last_key]:
            checkpoint.first_task = checkpoint.task = checkpoint.candidate = 0
            self._next_start = 0
            return self._plan.generator.tasks(self._plan.source)
        return tasks

    def _may_start(self) -> bool:
        if self._feedback is not None and not self._feedback.may_start(self._next_start):
            return False
        return self._admission.may_start(self.checkpoint.tally)

    async def _work(self, start: tuple[int, Task | None]) -> tuple[int, TaskResult]:
        """Make the task if feedback decides it; generate and verify its candidates.

        Its own errors fail the task, and no other.
        """
        index, task = start
        result = TaskResult(task)
        self._open[index] = result.usage
        try:
            if self._feedback is not None:
                key = f"next task {index}"
                with closing(TaskContext(self._services, key, index, result.usage)) as context:
                    result.task = await self._feedback.next_task(index, context)
            if result.task is not None:
                await generate(self._plan, self._services, index, result)
        except (InputError, ServerUnavailable, FilterError):
            raise
        except ConfigurationError as error:
            raise InputError(str(error)) from error
        except Exception as error:
            result.task = result.task or Task(f"task {index}", None)
            result.failure = self._log.add(f"task {result.task.key}", error)
        self._admission.finished(result.progression)
        self._time_left.finished(index)
        return index, result

    def _settle(self, index: int, result: TaskResult) -> StopStatus | None:
        """Judge a task's candidates in order, up to the bound that may be reached among them."""
        checkpoint, tally = self.checkpoint, self.checkpoint.tally
        self._changed = True
        self._open.pop(index)
        self._admission.settled(result.progression)
        before = tally.by_kind.copy()
        if result.task is not None:
            for judged, costs in result.candidates[checkpoint.candidate :]:
                row = self._row_maker.make(result.task.key, judged, costs, tally.by_kind)
                self._rows.append(row)
                tally.count_row(row)
                checkpoint.candidate += 1
                if self._feedback is not None:
                    self._feedback.add_row(row)
                if stop := self._bound():
                    checkpoint.partial = result.usage
                    return stop
            checkpoint.last_key = result.task.key
            if result.failure is not None:
                tally.count_failure(result.failure)
            tally.tasks += 1
        tally.usage += result.usage
        checkpoint.task += 1
        self._time_left.settled(tally.by_kind - before)
        checkpoint.candidate, checkpoint.partial = 0, Usage()
        if self._feedback is not None:
            self._feedback.settle(result.task, result.failure)
            if self._feedback.exhausted:
                return self._bound() or StopStatus("source exhausted")
        return self._bound()

    def _bound(self) -> StopStatus | None:
        budget = self._plan.recipe.budget
        return bound_reached(self.checkpoint.tally, self._targets, budget, self.seconds)

    def _final(self, stop: StopStatus | None) -> StopStatus:
        """The reason of the end; a run that accepts nothing because tasks failed is a failure."""
        if self._interrupted is not None and stop is None:
            return StopStatus("interrupted", self._interrupted)
        tally = self.checkpoint.tally
        nothing = self.checkpoint.first_task and not tally.emitted
        exhausted = StopStatus("source exhausted", NOTHING_LEFT if nothing else None)
        stop = stop or self._bound() or exhausted
        because = 0 < tally.failed >= tally.rejected
        if because and not tally.accepted and stop.reason != "failed":
            ((reason, times),) = tally.failures.most_common(1)
            share = "all" if tally.failed == tally.emitted else f"{tally.failed:,} of"
            return StopStatus(
                "failed",
                f"{share} {tally.tasks:,} tasks failed, {times:,} of them with: {reason}",
            )
        return stop

    @property
    def seconds(self) -> float:
        """Time at work, before and after a resume."""
        return self.checkpoint.seconds + time.monotonic() - self._begun

    def _batch_is_full(self) -> bool:
        engine = self._plan.recipe.engine
        waited = time.monotonic() - self._last_batch
        full = len(self._rows) >= engine.batch_rows or waited >= engine.batch_seconds
        return full and self._worth_a_commit

    @property
    def _worth_a_commit(self) -> bool:
        """Whether something is settled since the last batch; failures alone make no version."""
        tally = self.checkpoint.tally
        return self._changed and tally.accepted + tally.rejected > 0

    def _take_batch(self) -> Batch:
        checkpoint, now = self.checkpoint, time.monotonic()
        checkpoint.seconds += now - self._begun
        self._begun = self._last_batch = now
        checkpoint.usage = self.usage()
        states: dict[str, str] = {}
        if self._feedback is not None:
            checkpoint.state, states = self._feedback.saved().dump()
        rows, self._rows, self._changed = self._rows, [], False
        return Batch(rows, checkpoint, states, RunCost.of(checkpoint.usage, self.unused))

    def usage(self) -> dict[str, PromptUsage]:
        """Usage by prompt name, before and after a resume."""
        return add_usages(self._usage_before, self._services.models.usage)
