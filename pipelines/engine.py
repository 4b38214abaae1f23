"""The loop: tasks become candidates, candidates become rows, rows are committed in batches.

Tasks run concurrently and are settled in task order, so the same recipe, seed and model responses
give the same rows at any concurrency.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from synthmill.generators.base import Generator, Outcome, Task
from synthmill.models.errors import ConfigurationError, ServerUnavailable
from synthmill.pipelines.bounds import Launches, Stop, bound_reached
from synthmill.pipelines.context import Services, TaskContext
from synthmill.pipelines.cursor import Cursor
from synthmill.pipelines.plan import Plan
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.stages import Checked, Undecided, remember, review, verify
from synthmill.pipelines.window import Window
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import content_id, keyed_seed
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Row
from synthmill.schemas.usage import Usage
from synthmill.schemas.verdict import Verdict

Commit = Callable[[Sequence[Row], Cursor], Awaitable[None]]
Recall = Callable[[Collection[str]], dict[str, list[Row]]]


@dataclass(slots=True)
class Worked:
    """A task done: its verified candidates in order, what it cost, and why it failed if it did."""

    task: Task
    candidates: list[Checked] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    failure: str | None = None


class Engine:
    """One run of a plan, from `cursor` on.

    `commit` stores rows with the cursor behind them; `recall` finds the rows that this run has
    committed for some task keys.
    """

    def __init__(
        self,
        plan: Plan,
        services: Services,
        cursor: Cursor,
        run_id: str,
        commit: Commit,
        recall: Recall,
    ) -> None:
        recipe = plan.recipe
        self._plan = plan
        self._services = services
        self._cursor = cursor
        self._run_id = run_id
        self._commit = commit
        self._recall = recall
        self._recipe_hash = recipe.hash
        self._launches = Launches(recipe.target, recipe.budget)
        self._window = Window(recipe.engine.concurrency)
        self._batch: list[Row] = []
        self._last_commit = self._begun = time.monotonic()
        self._interrupted: str | None = None
        self._observes = type(plan.generator).observe is not Generator.observe

    def interrupt(self, why: str) -> None:
        """End the run soon: what is settled is committed, the rest is left for `resume`."""
        self._interrupted = why
        self._window.stop()

    def progress(self) -> Progress:
        """Where the run stands."""
        tally = self._cursor.tally
        rejects = Counter(
            {
                f"{name}: {reason}": count
                for name, stage in tally.funnel.items()
                for reason, count in stage.reasons.items()
            }
        )
        return Progress(
            accepted=tally.accepted,
            target=self._plan.recipe.target,
            rejected=tally.rejected,
            failed=tally.failed,
            tasks=tally.tasks,
            at_work=self._window.busy,
            tokens=tally.usage.tokens,
            dollars=tally.usage.dollars,
            seconds=self._seconds(),
            rejects=rejects,
            status=self._services.models.status(),
            calls=sum(prompt.asked.calls for prompt in self._services.models.usage.values()),
        )

    async def run(self) -> Stop:
        """Work until a bound is reached, the source is exhausted or somebody interrupts.

        What is settled is always committed, also when an exception ends the run.

        Raises:
            InputError: something the user must mend (a wrong key, a full disk).
        """
        try:
            stop = await self._rounds()
        except (ServerUnavailable, Undecided) as error:
            stop = Stop("failed", str(error))
        except InputError:
            await self._flush()
            raise
        await self._flush()
        return stop

    async def _rounds(self) -> Stop:
        generator, source, cursor = self._plan.generator, self._plan.source, self._cursor
        if stop := self._bound():  # resumed with nothing left to do
            return stop
        while True:
            tasks = generator.tasks(source, cursor.state)
            done = (
                list(islice(tasks, cursor.tasks)) if self._observes else _skip(tasks, cursor.tasks)
            )
            outcomes = self._earlier(done)
            stop = await self._round(tasks, outcomes)
            if stop is not None:
                return stop
            if not self._observes or not outcomes:
                return Stop("source exhausted")
            cursor.next_round(generator.observe(outcomes, cursor.state))
            await self._flush()

    def _earlier(self, tasks: Sequence[Task]) -> list[Outcome]:
        """The outcomes of tasks that this run settled before it was resumed within a round."""
        if not tasks:
            return []
        rows = self._recall({task.key for task in tasks})
        failures = self._cursor.failures
        return [Outcome(t, rows.get(t.key, []), failures.get(t.key)) for t in tasks]

    async def _round(self, tasks: Iterator[Task], outcomes: list[Outcome]) -> Stop | None:
        def start() -> bool:
            return self._launches.may_start(self._cursor.tally)

        async with aclosing(self._window.stream(tasks, self._work, start)) as stream:
            async for worked in stream:
                stop = self._settle(worked, outcomes)
                if stop is not None:
                    return stop
                if not self._observes and self._batch_is_full():
                    await self._flush()
        if self._interrupted is not None:
            return Stop("interrupted", self._interrupted)
        return self._bound()

    async def _work(self, task: Task) -> Worked:
        """Generate and verify the candidates of a task; its own errors fail it, and it alone."""
        self._launches.started += 1
        worked = Worked(task)
        if isinstance(task.item, InvalidItem):
            worked.candidates.append(Checked(_unreadable(task.item), alive=False))
            return worked
        context = TaskContext(self._services, task.key)
        try:
            async with aclosing(self._plan.generator.generate(task, context)) as candidates:
                async for candidate in candidates:
                    booked = context.book(candidate)
                    checked = await verify(
                        booked, self._plan.verifiers, context, self._services.workers
                    )
                    worked.candidates.append(checked)
        except (InputError, ServerUnavailable, Undecided):
            raise
        except ConfigurationError as error:
            raise InputError(str(error)) from error
        except Exception as error:
            worked.failure = f"{type(error).__name__}: {error}"[:200]
        finally:
            context.close()
        worked.usage = context.usage
        self._launches.usage += worked.usage
        return worked

    def _settle(self, worked: Worked, outcomes: list[Outcome]) -> Stop | None:
        """Judge a task's candidates in order, up to the bound that may be reached among them."""
        cursor, tally, key = self._cursor, self._cursor.tally, worked.task.key
        rows = self._recall({key}).get(key, []) if self._observes and cursor.within else []
        for checked in worked.candidates[cursor.within :]:
            row = self._row(worked.task, checked)
            self._batch.append(row)
            rows.append(row)
            tally.row(row)
            cursor.within += 1
            if stop := self._bound():
                return stop
        if worked.failure is not None:
            tally.failure(worked.failure)
        tally.usage += worked.usage
        tally.tasks += 1
        cursor.tasks += 1
        cursor.within = 0
        self._launches.settled += 1
        if self._observes:
            outcomes.append(Outcome(worked.task, rows, worked.failure))
            if worked.failure is not None:
                cursor.failures[key] = worked.failure
        return self._bound()

    def _row(self, task: Task, checked: Checked) -> Row:
        reviewed = review(checked, self._plan.diversity)
        row_id = content_id(reviewed.candidate)
        if reviewed.alive:
            remember(row_id, reviewed.candidate, self._plan.diversity)
        return Row(
            **dict(reviewed.candidate),
            id=row_id,
            generator=self._plan.generator.label,
            task_key=task.key,
            split=split_of(task.key, self._plan.recipe.output.splits),
            status="accepted" if reviewed.alive else "rejected",
            run_id=self._run_id,
            recipe_hash=self._recipe_hash,
            created_at=datetime.now(UTC),
        )

    def _bound(self) -> Stop | None:
        recipe = self._plan.recipe
        return bound_reached(self._cursor.tally, recipe.target, recipe.budget, self._seconds())

    def _seconds(self) -> float:
        return self._cursor.seconds + time.monotonic() - self._begun

    def _batch_is_full(self) -> bool:
        engine = self._plan.recipe.engine
        waited = time.monotonic() - self._last_commit
        return len(self._batch) >= engine.batch_rows or waited >= engine.batch_seconds

    async def _flush(self) -> None:
        """Commit the batch with the cursor behind it."""
        now = time.monotonic()
        self._cursor.seconds += now - self._begun
        self._begun = self._last_commit = now
        await self._commit(self._batch, self._cursor)
        # Only now: a commit that failed is tried again with the rows that its cursor speaks of.
        self._batch = []


def split_of(task_key: str, shares: dict[str, float]) -> str:
    """The split of a task: a hash of its key alone, so that it stays when a dataset grows."""
    point = keyed_seed("split", task_key) / 2**63
    for name, share in shares.items():
        point -= share
        if point < 0:
            return name
    return list(shares)[-1]


def _skip(tasks: Iterator[Task], done: int) -> list[Task]:
    """Move past the tasks that are done, keeping none of them."""
    for _ in range(done):
        next(tasks, None)
    return []


def _unreadable(item: InvalidItem) -> Candidate:
    verdict = Verdict(filter="source", status="fail", reason=item.reason, detail=item.detail)
    return Candidate(
        kind="corpus", messages=[user(item.excerpt)], verdicts=[verdict], sources=[item.origin]
    )
