"""Problems from reasoning-gym: seeded puzzles, scored by each task's own scorer (extra `gym`).

A problem carries the arguments that make its item again (task, seed, size, config, index) instead
of the item itself: metadata of some tasks is large, or is not JSON.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

from pydantic import Field, ValidationError

from synthmill.schemas.base import Record, Settings
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.base import Problem, Source

LICENSE = "Apache-2.0"
REWARD = "reasoning_gym"
FULL_SCORE = 1.0
TOLERANCE = 1e-9  # ours: rounding within scorers
# Ours: texts that no scorer may give the full score.
GARBAGE = ("", "qwzx 7f!", "None", "\ufffd" * 8)
ITEMS_TRIED = 3  # ours: items of a task on which its scorer is tried


class GymItem(Record):
    """One item of a reasoning-gym task: everything that makes it again."""

    task: str
    seed: int
    size: int
    config: dict[str, Any] = {}
    index: int

    def as_json(self) -> str:
        """The reward's arguments, as problems and rows carry them."""
        return canonical_json(self.model_dump())


class GymTask(Record):
    """One task of reasoning-gym: how many of its items, from which seed, how configured."""

    name: str = Field(description="name of the task, such as chain_sum")
    size: int = Field(default=100, gt=0, description="number of items")
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
            check_scorer(task.name, dataset)
        reward, yielded = reward_name(), 0
        for index in range(max(task.size for task in self.settings.tasks)):
            for task, dataset in opened:
                if index >= task.size:
                    continue
                yield _item(task, dataset, index, reward)
                yielded += 1
                if yielded == self.settings.limit:
                    return


def _item(task: GymTask, dataset: Any, index: int, reward: str) -> Problem | InvalidItem:
    arguments = GymItem(
        task=task.name, seed=task.seed, size=task.size, config=task.config, index=index
    ).as_json()
    origin = SourceRef(uri=f"reasoning_gym:{task.name}", title=f"item {index}", license=LICENSE)
    key = f"{task.name}/{task.seed}/{index}"
    try:
        entry = dataset[index]
    except Exception as error:  # an item that a task fails to make costs that item alone
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


def reward_name() -> str:
    """Name and version of the reward: the scorers are those of the installed package.

    Raises:
        InputError: the extra is not installed.
    """
    try:
        return f"{REWARD}@{version('reasoning-gym')}"
    except PackageNotFoundError as error:
        raise InputError(
            "the extra 'gym' is not installed: pip install 'synthmill[gym]'"
        ) from error


def score_gym_answer(reward_args: str, answer: str) -> float:
    """The score in [0, 1] that the task's own scorer gives; 0 where it fails on the answer.

    Raises:
        InputError: the arguments do not name an item, or the extra is not installed.
    """
    try:
        item = GymItem.model_validate_json(reward_args)
    except ValidationError as error:
        raise InputError(f"no arguments of a reasoning-gym reward: {reward_args[:80]!r}") from error
    dataset = open_task(item.task, item.seed, item.size, item.config)
    return _score(dataset, answer, dataset[item.index])


def is_full_score(score: float) -> bool:
    """Whether a score means a right answer. Several scorers give part of it for the form."""
    return score >= FULL_SCORE - TOLERANCE


def open_task(task: str, seed: int, size: int, config: dict[str, Any]) -> Any:
    """The task's items, indexed; made lazily and the same for the same arguments.

    Raises:
        InputError: there is no such task, its settings are wrong, or the extra is missing.
    """
    return _opened(task, seed, size, canonical_json(config))


def check_scorer(task: str, dataset: Any) -> None:
    """Try the scorer on the task's own answers, which must get the full score, and on garbage.

    Raises:
        InputError: it cannot be trusted; the message says on what it failed.
    """
    for index in range(min(ITEMS_TRIED, len(dataset))):
        entry = dataset[index]
        own = entry["answer"]
        if own is None:
            raise InputError(f"reasoning-gym task {task!r} has no answers to try its scorer on")
        if not is_full_score(_score(dataset, own, entry)):
            raise InputError(f"reasoning-gym task {task!r} fails its own answer to item {index}")
        for garbage in GARBAGE:
            if garbage != own and is_full_score(_score(dataset, garbage, entry)):
                raise InputError(f"reasoning-gym task {task!r} gives the full score to {garbage!r}")


@lru_cache(maxsize=32)
def _opened(task: str, seed: int, size: int, config: str) -> Any:
    reward_name()
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    if task not in DATASETS:
        raise InputError(f"there is no reasoning-gym task {task!r}{nearest(task, DATASETS)}")
    try:
        return reasoning_gym.create_dataset(task, seed=seed, size=size, **json.loads(config))
    except (TypeError, ValueError, AssertionError) as error:
        raise InputError(f"reasoning-gym task {task!r} refuses its config: {error}") from error


def _score(dataset: Any, answer: str, entry: dict[str, Any]) -> float:
    try:
        return float(dataset.score_answer(answer, entry))
    except Exception:  # scorers parse free text, and raise whatever their parsers raise
        return 0.0
