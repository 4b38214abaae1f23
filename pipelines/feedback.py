"""The states of a feedback generator: which task sees which, and how they survive the process."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any, Self

from pydantic import ValidationError

from synthmill.generators.base import Context, FeedbackGenerator, Task, TaskOutcome
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.row import Row


class SavedStates(Record):
    """The states that a resumed run needs.

    `order` lists, for the newest `lag` outcomes, the position of the state after each in `states`
    (a state that did not change is stored once). `rows` are the settled rows of the task that was
    cut by a bound.
    """

    generator: str
    states: list[dict[str, Any]]
    order: list[int]
    rows: list[Row] = []

    @classmethod
    def load(cls, read: Callable[[str], str], name: str) -> Self:
        """The states that were stored under `name`; `read` returns the text of a name.

        Raises:
            InputError: a text is not such a one.
        """
        try:
            index = StateIndex.model_validate_json(read(name))
            states = [json.loads(read(state)) for state in index.states]
            return cls(**{**dict(index), "states": states})
        except ValidationError as error:
            raise _unusable(error) from error

    def dump(self) -> tuple[str, dict[str, str]]:
        """A name and the texts to store, by name: each state is a text of its own.

        Names are hashes of the texts, so a state that is stored already is not written again.
        """
        texts = {sha256_text(text): text for text in map(canonical_json, self.states)}
        names = [sha256_text(canonical_json(state)) for state in self.states]
        index = StateIndex(**{**dict(self), "states": names}).model_dump_json()
        return sha256_text(index), {**texts, sha256_text(index): index}

    def newest(self) -> "SavedStates":
        """The newest state alone, from which another run may begin."""
        return SavedStates(
            generator=self.generator, states=[self.states[self.order[-1]]], order=[0]
        )


class StateIndex(Record):
    """`SavedStates` as stored: in place of the states the names of their texts."""

    generator: str
    states: list[str]
    order: list[int]
    rows: list[Row] = []


class FeedbackLoop:
    """Keeps the states that tasks in progress may see: after each of the last `lag` outcomes.

    Args:
        generator: makes the initial state and updates it.
        first: index of the run's first task.
        next_index: index of the next task to settle.
        saved: the states of the commit that the run continues.

    Raises:
        InputError: the saved states are not of this generator.
    """

    def __init__(
        self,
        generator: FeedbackGenerator[Any, Any],
        first: int = 0,
        next_index: int = 0,
        saved: SavedStates | None = None,
    ) -> None:
        self._generator = generator
        self._first = first
        self._next = next_index
        self._idle = 0
        self._rows: list[Row] = []
        self._states: deque[Any] = deque(maxlen=generator.lag)
        if saved is None:
            self._states.append(generator.initial_state())
        else:
            self._restore(saved)

    def _restore(self, saved: SavedStates) -> None:
        try:
            states = [self._generator.State.model_validate(state) for state in saved.states]
        except ValidationError as error:
            raise _unusable(error) from error
        self._states.extend(states[position] for position in saved.order)
        self._rows = saved.rows

    def may_start(self, index: int) -> bool:
        """Whether the state that the task at `index` sees is known."""
        return index - self._next < self._generator.lag

    @property
    def exhausted(self) -> bool:
        """Whether no further task will come: `lag` indexes in a row had none."""
        return self._idle >= self._generator.lag

    def state_for(self, index: int) -> Any:
        """The state after outcome `index - lag`, or the run's first state."""
        outcomes = max(index - self._generator.lag + 1, self._first)
        return self._states[outcomes - self._next - 1]

    async def next_task(self, index: int, context: Context) -> Task | None:
        """The generator's task at `index`, if there is one."""
        return await self._generator.next_task(index, self.state_for(index), context)

    def add_row(self, row: Row) -> None:
        """Add a row to the outcome of the task that is being settled."""
        self._rows.append(row)

    def settle(self, task: Task | None, failure: str | None) -> None:
        """Update the state with the outcome of the task at the next index, if there was one."""
        state = self._states[-1]
        if task is None:
            self._idle += 1
        else:
            self._idle = 0
            outcome = TaskOutcome(self._next, task, self._rows, failure)
            state = self._generator.update_state(state, outcome)
        self._states.append(state)
        self._next += 1
        self._rows = []

    def saved(self) -> SavedStates:
        """What a resumed run needs."""
        distinct: list[Any] = []
        order: list[int] = []
        for state in self._states:
            if not distinct or (state is not distinct[-1] and state != distinct[-1]):
                distinct.append(state)
            order.append(len(distinct) - 1)
        return SavedStates(
            generator=self._generator.label,
            states=[state.model_dump(mode="json") for state in distinct],
            order=order,
            rows=list(self._rows),
        )


def _unusable(error: ValidationError) -> InputError:
    return InputError(
        f"the state stored with the dataset is not one of this generator: "
        f"{error.errors()[0]['msg']}; run without generator.continue_state"
    )
