"""Problems from reasoning-gym: seeded puzzles, verified by each task's own scorer."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import Field

from synthmill.schemas.base import Record, Settings
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.sources._gym import GymItem, open_task, prove_scorer, reward_name
from synthmill.sources.base import Problem, Source

LICENSE = "Apache-2.0"


class GymTask(Record):
    """One task of reasoning-gym: how many of its items, from which seed, how configured."""

    name: str = Field(description="name of the task, such as chain_sum")
    size: int = Field(default=100, gt=0, description="items")
    seed: int = Field(default=0, ge=0)
    config: dict[str, Any] = Field(default={}, description="the task's own settings")


class GymSettings(Settings):
    """Settings of the source `reasoning_gym`."""

    tasks: list[GymTask] = Field(min_length=1, description="taken in turns, item by item")
    limit: int | None = Field(default=None, gt=0, description="problems to yield at most")


class ReasoningGymSource(Source):
    """Items of the tasks in turns. A task whose scorer cannot be trusted is refused at the start.

    Each problem carries its scorer as reward (`reasoning_gym@<package version>`) and, as the
    reward's arguments, what makes the item again.
    """

    name: ClassVar[str] = "reasoning_gym"
    item: ClassVar[type] = Problem
    Settings = GymSettings
    settings: GymSettings

    def items(self) -> Iterator[Problem | InvalidItem]:
        """The problems.

        Raises:
            schemas.errors.InputError: a task is unknown, misconfigured, or its scorer fails.
        """
        opened = [(t, open_task(t.name, t.seed, t.size, t.config)) for t in self.settings.tasks]
        for task, dataset in opened:
            prove_scorer(task.name, dataset)
        reward, given = reward_name(), 0
        for index in range(max(task.size for task in self.settings.tasks)):
            for task, dataset in opened:
                if index >= task.size:
                    continue
                yield _item(task, dataset, index, reward)
                given += 1
                if given == self.settings.limit:
                    return


def _item(task: GymTask, dataset: Any, index: int, reward: str) -> Problem | InvalidItem:
    arguments = GymItem(
        task=task.name, seed=task.seed, size=task.size, config=task.config, index=index
    ).as_json()
    origin = SourceRef(uri=f"reasoning_gym:{task.name}", title=f"item {index}", license=LICENSE)
    key = f"{task.name}/{task.seed}/{index}"
    try:
        entry = dataset[index]
    except Exception as error:  # an item that a task fails to make is a bad row, not a crash
        detail = f"{task.name}, item {index}: {type(error).__name__}: {error}"
        return InvalidItem(key=key, reason="unreadable row", detail=detail, origin=origin)
    return Problem(
        key=key,
        text=entry["question"],
        answer=None if entry["answer"] is None else str(entry["answer"]),
        reward=reward,
        reward_args=arguments,
        origin=origin,
    )
