"""A small source and generator of our own, to watch the engine with."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import ClassVar

from synthmill.filters.base import Verifier
from synthmill.generators.base import (
    Cancelled,
    Context,
    FeedbackGenerator,
    Generator,
    Resources,
    Task,
    TaskOutcome,
)
from synthmill.models.prompt import Prompt
from synthmill.runtime.workers import Limits
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import Message, assistant, user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.sources.base import Problem, Source


class Number(Record):
    key: str
    value: int


class NumbersSettings(Settings):
    count: int = 20
    bad_every: int = 0


class Numbers(Source):
    """The numbers from 0 up; every `bad_every`-th cannot be read."""

    name = "numbers"
    item = Number
    Settings = NumbersSettings

    def items(self) -> Iterator[Number | InvalidItem]:
        for value in range(self.settings.count):
            if self.settings.bad_every and value % self.settings.bad_every == 0:
                origin = SourceRef(uri=f"numbers:{value}")
                yield InvalidItem(key=f"n{value}", reason="not a number", detail="", origin=origin)
            else:
                yield Number(key=f"n{value}", value=value)


class SquaresSettings(Settings):
    rows: int = 2
    fail_every: int = 0
    delay: float = 0.0


class Squares(Generator[SquaresSettings]):
    """`rows` candidates for each number, after a random delay; some tasks fail half-way."""

    name = "squares"
    item = Number

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        number = task.item.value
        for index in range(self.settings.rows):
            if self.settings.delay:
                # The clock alone is random here: arrival order must not show in the rows.
                await asyncio.sleep(self.settings.delay * (hash((number, index)) % 7) / 7)
            if self.settings.fail_every and number % self.settings.fail_every == 1 and index:
                raise ValueError("no square today")
            draw = context.rng(f"draw {index}").randrange(10**6)
            yield Candidate(
                kind="sft",
                messages=[
                    user(f"square {number}, take {index}"),
                    assistant(f"{number * number} {draw}"),
                ],
                answer=str(number * number),
                sources=[SourceRef(uri=f"numbers:{number}")],
            )


class Sum(Record):
    """What the toy feedback generator remembers: every outcome changes it."""

    tasks: int = 0
    total: int = 0


class FeedbackSettings(Settings):
    count: int = 100
    delay: float = 0.0
    idle_every: int = 0
    fail_every: int = 0


class Feedback(FeedbackGenerator[FeedbackSettings, Sum]):
    """Each task's number depends on the sum of all numbers accepted up to one lag before."""

    name = "feedback"
    item = Number

    async def next_task(self, index: int, state: Sum, context: Context) -> Task | None:
        if state.tasks >= self.settings.count:
            return None
        if self.settings.idle_every and index % self.settings.idle_every == 1:
            return None
        draw = context.rng("next").randrange(10)
        return Task(f"t{index}", (index, (31 * state.total + index + draw) % 9973))

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        index, value = task.item
        if self.settings.delay:
            await asyncio.sleep(self.settings.delay * (hash((index, value)) % 7) / 7)
        for take in range(1 + value % 3):
            if self.settings.fail_every and index % self.settings.fail_every == 2 and take:
                raise ValueError("no number today")
            text = f"task {index}, take {take}, value {value}"
            yield Candidate(kind="sft", messages=[user(text), assistant(str(value + take))])

    def update_state(self, state: Sum, outcome: TaskOutcome) -> Sum:
        found = sum(int(row.messages[1].text) for row in outcome.rows if row.status == "accepted")
        found += 7 if outcome.failure else 0
        return Sum(tasks=state.tasks + 1, total=state.total + found)


class Question(Prompt[str]):
    """A question with its number in it, so that every request is another."""

    number: int
    take: int

    def messages(self) -> tuple[Message, ...]:
        return (user(f"question {self.number}, take {self.take}"),)


class FailsSettings(Settings):
    rows: int = 0


class Fails(Generator[FailsSettings]):
    """Yields `rows` candidates in all, then every task fails."""

    name = "fails"
    item = Number

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        if task.item.value < self.settings.rows:
            yield Candidate(kind="sft", messages=[user("?"), assistant(task.key)])
        else:
            raise LookupError("nothing to be found")


class Prepares(Generator[Settings]):
    """Needs a minute to prepare, in a thread that can be interrupted."""

    name = "prepares"
    item = Number

    async def prepare(self, source: Source, resources: Resources) -> None:
        def count(report: Callable[[int], None]) -> None:
            folder = resources.cache_dir / "counted"
            folder.mkdir(parents=True)
            try:
                for number in range(6000):
                    report(number)
                    time.sleep(0.01)
            except Cancelled:
                folder.rmdir()
                raise

        await resources.in_thread("counted", count)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        yield Candidate(kind="sft", messages=[user("?"), assistant(task.key)])


class CheckedSettings(Settings):
    limit_seconds: float = 10.0


class Checked(Generator[CheckedSettings]):
    """Yields the first of three candidates that its filters accept; sleeps in a worker first."""

    name = "checked"
    item = Number
    default_filters = (FilterSpec(name="tests.pipelines.parts:Even"),)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        limits = Limits(seconds=self.settings.limit_seconds)
        await context.run_in_worker(time.sleep, 0.5, limits=limits)
        for take in range(3):
            scoped = context.scoped(f"take {take}")
            draw = scoped.rng("draw").randrange(100)
            candidate = Candidate(kind="sft", messages=[user(task.key), assistant(str(draw))])
            judged = await scoped.verify(candidate)
            if judged.accepted or take == 2:
                yield judged.candidate
                return


class Even(Verifier):
    """Accepts even numbers; counts its calls in `looked`."""

    name = "even"
    looked: ClassVar[list[str]] = []

    def judge(self, candidate: Candidate) -> Verdict:
        self.looked.append(candidate.messages[1].text)
        even = int(candidate.messages[1].text) % 2 == 0
        return self.verdict("pass") if even else self.verdict("fail", "odd")


class AsksSettings(Settings):
    takes: int = 2


class Asks(Generator[AsksSettings]):
    """Asks the model `takes` questions for each number, and emits every answer."""

    name = "asks"
    item = Number

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        for take in range(self.settings.takes):
            prompt = Question(number=task.item.value, take=take)
            reply = await context.generate(prompt, purpose=f"take {take}")
            yield Candidate(
                kind="sft", messages=[*prompt.messages(), assistant(reply.unwrap())], answer="x"
            )


class Retold(Prompt[str]):
    """A problem and the number of the call about it."""

    problem: str
    call: int

    def messages(self) -> tuple[Message, ...]:
        return (user(f"{self.problem}, call {self.call}"),)


class Retells(Generator[Settings]):
    """Asks the model about each problem three times, one call after the other, for one row."""

    name = "retells"
    item = Problem
    kinds = ("sft",)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        for call in range(3):
            prompt = Retold(problem=task.item.text, call=call)
            reply = await context.generate(prompt, purpose=f"call {call}")
        yield Candidate(
            kind="sft",
            messages=[user(task.item.text), assistant(reply.unwrap())],
            sources=[task.item.origin],
        )
