"""The source `reasoning_gym`: every scorer is proven before its task is used."""

from typing import Any

import pytest

from synthmill.schemas.errors import InputError
from synthmill.sources.reasoning_gym import (
    ReasoningGymSource,
    check_scorer,
    is_full_score,
    score_gym_answer,
)

pytest.importorskip("reasoning_gym")


def source(*tasks: dict[str, Any], **settings: Any) -> ReasoningGymSource:
    return ReasoningGymSource(ReasoningGymSource.Settings(tasks=list(tasks), **settings))


def test_items_in_turns_with_their_scorer() -> None:
    items = list(
        source({"name": "chain_sum", "size": 3}, {"name": "leg_counting", "size": 2}).items()
    )
    assert [item.key for item in items] == [
        "chain_sum/0/0",
        "leg_counting/0/0",
        "chain_sum/0/1",
        "leg_counting/0/1",
        "chain_sum/0/2",
    ]
    for item in items:
        assert item.reward.startswith("reasoning_gym@")
        assert is_full_score(score_gym_answer(item.reward_args, item.answer))
        assert not is_full_score(score_gym_answer(item.reward_args, "qwzx"))


def test_seed_and_config_decide_the_items() -> None:
    task = {"name": "chain_sum", "size": 4, "config": {"min_terms": 2, "max_terms": 2}}
    first = list(source(task, limit=2).items())
    assert first == list(source(task, limit=2).items()) and len(first) == 2
    assert first != list(source({**task, "seed": 7}, limit=2).items())


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"name": "chain_sm"}, "did you mean 'chain_sum'"),
        ({"name": "chain_sum", "config": {"min_term": 2}}, "refuses its config"),
        ({"name": "chain_sum", "config": {"min_terms": -2}}, "refuses its config"),
    ],
)
def test_wrong_tasks_are_refused_in_one_line(task: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        next(source(task).items())


class Untrustworthy:
    """A task whose scorer gives `marks`, or raises where the mark is an exception."""

    def __init__(self, answer: str | None, own: Any, other: Any) -> None:
        self.answer, self.own, self.other = answer, own, other

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"question": "?", "answer": self.answer}

    def score_answer(self, answer: str, entry: dict[str, Any]) -> float:
        mark = self.own if answer == self.answer else self.other
        if isinstance(mark, Exception):
            raise mark
        return mark


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Untrustworthy(None, 1, 0), "no answers"),
        (Untrustworthy("5", 0.5, 0), "fails its own answer"),
        (Untrustworthy("5", ValueError("x"), 0), "fails its own answer"),
        (Untrustworthy("5", 1.0, 1.0), "full score to"),
    ],
)
def test_a_scorer_that_cannot_be_trusted_is_refused(dataset: Untrustworthy, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_scorer("task", dataset)


def test_a_scorer_that_raises_on_garbage_gives_no_marks() -> None:
    check_scorer("task", Untrustworthy("5", 1.0, ValueError("cannot parse")))
