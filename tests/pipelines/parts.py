"""A small source and generator of our own, to watch the engine with."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator

from synthmill.generators.base import Context, Generator, Outcome, Task
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import Message, assistant, user
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Source


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


class Squares(Generator):
    """`rows` candidates for each number, after a random delay; some tasks fail half-way."""

    name = "squares"
    item = Number
    Settings = SquaresSettings

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


class RoundsSettings(Settings):
    rounds: int = 3
    width: int = 4


class Rounds(Generator):
    """Each round's numbers begin where the sum of the last round's rows ended."""

    name = "rounds"
    item = Number
    Settings = RoundsSettings

    def tasks(self, source: Source, state: str | None) -> Iterator[Task]:
        done, start = map(int, (state or "0 0").split())
        if done < self.settings.rounds:
            for value in range(start, start + self.settings.width):
                yield Task(f"n{value}", Number(key=f"n{value}", value=value))

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        yield Candidate(kind="sft", messages=[user("?"), assistant(str(task.item.value))])

    def observe(self, outcomes: Iterable[Outcome], state: str | None) -> str | None:
        done, _ = map(int, (state or "0 0").split())
        total = sum(int(row.messages[1].content or 0) for o in outcomes for row in o.rows)
        return f"{done + 1} {total}"


class Question(Prompt[str]):
    """A question with its number in it, so that every request is another."""

    number: int
    take: int

    def messages(self) -> tuple[Message, ...]:
        return (user(f"question {self.number}, take {self.take}"),)


class AsksSettings(Settings):
    takes: int = 2


class Asks(Generator):
    """Asks the model `takes` questions for each number, and emits every answer."""

    name = "asks"
    item = Number
    Settings = AsksSettings

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        for take in range(self.settings.takes):
            prompt = Question(number=task.item.value, take=take)
            reply = await context.generate(prompt, purpose=f"take {take}")
            yield Candidate(
                kind="sft", messages=[*prompt.messages(), assistant(reply.unwrap())], answer="x"
            )
