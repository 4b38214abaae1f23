"""Feedback generators: the same rows at any concurrency, through kills, and from run to run."""

import asyncio
import os
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthmill.pipelines.run import preview, resume, start
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.maintenance import remove_states
from tests.pipelines.conftest import recipe, rows, run_process

KILLS = 6
UNEVEN = {"idle_every": 7, "fail_every": 5}


def feedback(concurrency: int = 16, lag: int = 16, **changes: Any) -> Recipe:
    generator = {"settings": changes.pop("settings", {}), "feedback_lag": lag}
    generator |= changes.pop("generator", {})
    engine = {"concurrency": concurrency, **changes.pop("engine", {})}
    return recipe("Feedback", generator=generator, engine=engine, **changes)


@pytest.mark.parametrize("lag", [2, 16])
async def test_rows_are_the_same_at_any_concurrency(tmp_path: Path, lag: int) -> None:
    made = []
    for concurrency in (1, 16):
        home = Home(tmp_path / str(concurrency))
        wanted = feedback(concurrency, lag, settings={"delay": 0.01, **UNEVEN})
        report = await start(wanted, home)
        assert report.stop == "source exhausted" and report.failed
        made.append(rows(home, None))
    assert made[0] == made[1] and len(made[0]) > 100


async def test_the_lag_decides_the_rows_and_is_part_of_the_hash(tmp_path: Path) -> None:
    one, other = (Home(tmp_path / name) for name in "ab")
    reports = [await start(feedback(lag=lag), home) for lag, home in ((8, one), (9, other))]
    assert reports[0].recipe_hash != reports[1].recipe_hash
    values = [[row.messages[1].text for row in rows(home)] for home in (one, other)]
    assert values[0] != values[1]


async def test_a_task_sees_the_outcomes_up_to_one_lag_before(home: Home) -> None:
    await start(feedback(lag=4, settings={"count": 6}), home)
    first = {row.task_key: row.messages[0].text.split("value ")[1] for row in rows(home)}
    other = Home(home.path / "other")
    await start(feedback(lag=4, settings={"count": 6}, seed=1), other)
    assert len(first) == 6 + 3  # the state says "enough" one lag after the sixth outcome
    assert first != {row.task_key: row.messages[0].text.split("value ")[1] for row in rows(other)}


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    lag=st.integers(2, 20),
    concurrency=st.integers(1, 20),
    targets=st.lists(st.integers(1, 60), min_size=1, max_size=3, unique=True).map(sorted),
)
def test_a_run_cut_anywhere_continues_as_if_it_had_not_been(
    tmp_path_factory: pytest.TempPathFactory, lag: int, concurrency: int, targets: list[int]
) -> None:
    async def both() -> None:
        straight, cut = (Home(tmp_path_factory.mktemp("home")) for _ in range(2))
        wanted = {"settings": {"count": 40, "delay": 0.001, **UNEVEN}, "lag": lag}
        await start(feedback(1, **wanted, target=1000), straight)
        first = await start(feedback(concurrency, **wanted, target=targets[0]), cut)
        for target in (*targets[1:], 1000):
            await resume(first.run_id, cut, target=target)
        assert rows(cut, None) == rows(straight, None)

    asyncio.run(both())


def test_kills_at_random_moments_end_in_the_rows_of_an_undisturbed_run(tmp_path: Path) -> None:
    rng = Random(5)
    calm, rough = Home(tmp_path / "calm"), Home(tmp_path / "rough")
    wanted = feedback(
        settings={"count": 900, "delay": 0.05, **UNEVEN},
        engine={"batch_rows": 10, "batch_seconds": 0.2},
    )
    asyncio.run(start(wanted, calm))
    kept = []
    stop = ""
    while not stop and len(kept) < KILLS:
        stop = run_process(rough, wanted, kill_after=rng.uniform(0.05, 0.8))
        kept.append(len(rows(rough)))
    assert (stop or run_process(rough, wanted)) == "source exhausted"
    assert rows(rough, None) == rows(calm, None)
    assert len(set(kept)) > 2, "the kills came too early or too late to show anything"
    dataset = Dataset.open(rough, "numbers")
    for state in (dataset.folder / "state").iterdir():
        os.utime(state, (0, 0))
    assert remove_states(dataset), "states of superseded commits"
    assert run_process(rough, wanted.model_copy(update={"seed": 9})) == "source exhausted"
    left = len(list((dataset.folder / "state").iterdir()))
    assert 1 < left <= 1 + wanted.generator.feedback_lag


async def test_a_second_run_continues_from_the_state_of_the_first(tmp_path: Path) -> None:
    lag = 4
    home, other = Home(tmp_path / "home"), Home(tmp_path / "other")
    await start(feedback(lag=lag, settings={"count": 30}), home)
    again = feedback(lag=lag, settings={"count": 60}, generator={"continue_state": True})
    before = rows(home)
    report = await start(again, home)
    added = {row.task_key for row in rows(home)} - {row.task_key for row in before}
    # 30 tasks and the last of their lag; then as many until the state says 60.
    assert len({row.task_key for row in before}) == 30 + lag - 1
    assert min(int(key[1:]) for key in added) == 30 + lag - 1 + lag
    assert report.tasks == len(added) and report.accepted == len(rows(home)) - len(before)
    # Without the setting it begins anew.
    fresh = await start(feedback(lag=lag, settings={"count": 60}), other)
    assert fresh.tasks > report.tasks


async def test_a_continued_run_that_is_cut_ends_in_the_same_rows(tmp_path: Path) -> None:
    straight, cut = Home(tmp_path / "straight"), Home(tmp_path / "cut")
    for home in (straight, cut):
        await start(feedback(lag=4, settings={"count": 20, **UNEVEN}), home)
    again = feedback(
        lag=4, settings={"count": 50, **UNEVEN}, generator={"continue_state": True}, target=5
    )
    await start(again.model_copy(update={"target": 1000}), straight)
    first = await start(again, cut)
    for target in (12, 1000):
        await resume(first.run_id, cut, target=target)
    assert rows(cut, None) == rows(straight, None)


async def test_a_generator_without_state_cannot_continue_one(home: Home) -> None:
    with pytest.raises(InputError, match="has no state"):
        await start(recipe(generator={"continue_state": True}), home)


async def test_a_state_of_another_generator_is_not_taken(home: Home) -> None:
    wanted = feedback(settings={"count": 5}, generator={"continue_state": True})
    report = await start(wanted, home)  # nothing to continue: it begins with the initial state
    assert report.stop == "source exhausted"
    dataset = Dataset.open(home, "numbers")
    for path in (dataset.folder / "state").iterdir():
        path.write_text(path.read_text().replace('"total"', '"sum"'))
    with pytest.raises(InputError, match="continue_state"):
        await start(wanted, home)


async def test_a_preview_leaves_no_state(home: Home) -> None:
    made, report = await preview(feedback(settings={"delay": 0.01}), home, rows=3)
    assert report.accepted == 3 and len(made) >= 3
    assert [path.name for path in home.path.iterdir()] == ["cache"]
