"""The time left, with a clock of our own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.pipelines.checkpoint import Tally
from synthmill.pipelines.time_left import TimeLeft
from tests.pipelines.conftest import recipe


class Clock:
    """A clock that is set by hand, and a tally in step with it."""

    def __init__(self, target: Any, first: int = 0) -> None:
        self.now = 0.0
        wanted = recipe(target=target, engine={"concurrency": 4})
        self.left = TimeLeft(wanted, None, first)
        self.tally = Tally()

    def settle(self, kind: str = "sft") -> None:
        self.tally.by_kind[kind] += 1
        self.tally.accepted += 1
        self.tally.tasks += 1
        self.left.settled({kind: 1})

    @property
    def seconds(self) -> float | None:
        return self.left.seconds(self.tally, self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(10)
    monkeypatch.setattr("time.monotonic", lambda: made.now)
    return made


def test_only_tasks_that_are_needed_are_waited_for(clock: Clock) -> None:
    """Nine rows are there; the next task ends soon, those after it run long and do not count."""
    for index in range(9):
        clock.left.started(index)
        clock.now += 1 if index else 20  # one took long, so that another may
        clock.left.finished(index)
        clock.settle()
    clock.left.started(9)
    clock.now += 19.5
    for index in (10, 11, 12):
        clock.left.started(index)
    assert clock.seconds == pytest.approx(0.5)


def four_tasks(clock: Clock, first: int, seconds: float) -> None:
    """Four tasks side by side, each with a row."""
    for index in range(first, first + 4):
        clock.left.started(index)
    clock.now += seconds
    for index in range(first, first + 4):
        clock.left.finished(index)
        clock.settle()


def test_finished_tasks_behind_a_slow_one_are_no_work_left(clock: Clock) -> None:
    four_tasks(clock, 0, 10.0)
    clock.left.started(4)
    for index in range(5, 10):
        clock.left.started(index)
        clock.now += 1.0
        clock.left.finished(index)
    assert clock.seconds == pytest.approx(5.0), "task 4 is 5 s old, and may take 10 s as others did"


@given(first=st.integers(0, 1000), target=st.integers(5, 50))
def test_equal_tasks_take_equal_times(first: int, target: int) -> None:
    made = Clock(target, first)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.monotonic", lambda: made.now)
        four_tasks(made, first, 2.0)
        rounds = -(-(target - 4) // 4)
        assert made.seconds == pytest.approx(2.0 * rounds)


def test_the_rarest_kind_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Clock({"sft": 4, "rlvr": 4})
    monkeypatch.setattr("time.monotonic", lambda: made.now)
    for index in range(8):
        made.left.started(index)
        made.now += 1.0
        made.left.finished(index)
        made.settle("rlvr" if index % 8 == 7 else "sft")
        assert (made.seconds is None) == (index < 7), "nothing is known of a kind that never came"
    assert made.seconds is not None and made.seconds >= 5.0
