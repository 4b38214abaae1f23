"""Scores answers to reasoning-gym tasks, from the arguments that a problem carries.

The arguments name the item (task, seed, size, config, index), so that it is made again rather than
stored: metadata of some tasks is large, or no JSON. Needs the extra `gym`.
"""

import json
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import ValidationError

from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.identity import canonical_json

REWARD = "reasoning_gym"
FULL_MARKS = 1.0
# Close enough to full marks to be rounding in the scorer.
TOLERANCE = 1e-9
# What no task may give full marks to.
GARBAGE = ("", "qwzx 7f!", "None", "\ufffd" * 8)
PROOFS = 3  # items of a task whose own answers are tried


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
    """The mark in [0, 1] that the task's own scorer gives; 0 where it fails on the answer.

    Raises:
        InputError: the arguments do not name an item, or the extra is not installed.
    """
    try:
        item = GymItem.model_validate_json(reward_args)
    except ValidationError as error:
        raise InputError(f"no arguments of a reasoning-gym reward: {reward_args[:80]!r}") from error
    dataset = _opened(item.task, item.seed, item.size, canonical_json(item.config))
    return _score(dataset, answer, dataset[item.index])


def full_marks(score: float) -> bool:
    """Whether a mark means right. Several scorers give partial marks for form."""
    return score >= FULL_MARKS - TOLERANCE


def open_task(task: str, seed: int, size: int, config: dict[str, Any]) -> Any:
    """The task's items, indexed; made lazily and the same for the same arguments.

    Raises:
        InputError: there is no such task, its settings are wrong, or the extra is missing.
    """
    return _opened(task, seed, size, canonical_json(config))


def prove_scorer(task: str, dataset: Any) -> None:
    """Try the scorer on its own answers, which must get full marks, and on garbage.

    Raises:
        InputError: it cannot be trusted; the message says on what it failed.
    """
    for index in range(min(PROOFS, len(dataset))):
        entry = dataset[index]
        own = entry["answer"]
        if own is None:
            raise InputError(f"reasoning-gym task {task!r} gives no answers to prove its scorer on")
        if not full_marks(_score(dataset, own, entry)):
            raise InputError(f"reasoning-gym task {task!r} fails its own answer to item {index}")
        for garbage in GARBAGE:
            if garbage != own and full_marks(_score(dataset, garbage, entry)):
                raise InputError(f"reasoning-gym task {task!r} gives full marks to {garbage!r}")


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
