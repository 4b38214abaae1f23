"""Running a recipe again goes on behind the earlier run; an id is accepted once per dataset."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthmill.pipelines.run import resume, start
from synthmill.schemas.recipe import Budget, Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.pipelines.conftest import recipe, rows


def ids(home: Home) -> list[str]:
    return [row.id for row in rows(home)]


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 3),
    targets=st.lists(st.integers(1, 25), min_size=2, max_size=3),
    part=st.sampled_from(["Squares", "Feedback"]),
)
def test_runs_of_one_recipe_add_no_duplicate_id(seed: int, targets: list[int], part: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Home(folder)
        for target in targets:
            source = {"count": 15, "bad_every": 4}
            report = asyncio.run(start(recipe(part, source=source, seed=seed, target=target), home))
            assert report.emitted == report.accepted + report.rejected + report.failed
        assert len(set(ids(home))) == len(ids(home))
        if part == "Squares":  # 11 good numbers with two rows each, in the order of the source
            assert len(ids(home)) == min(22, sum(targets))
            keys = sorted({int(row.task_key[1:]) for row in rows(home)})
            assert keys == [n for n in range(15) if n % 4][: len(keys)]


async def test_a_second_run_begins_behind_the_first_until_nothing_is_left(home: Home) -> None:
    wanted = recipe(source={"count": 5}, target=7)
    first = await start(wanted, home)
    second = await start(wanted, home)
    assert (second.continues, second.accepted, second.rejected) == (first.run_id, 3, 0)
    third = await start(wanted, home)
    assert third.nothing_left and third.versions == []
    assert "--set seed=" in (third.stop_detail or "")
    await start(wanted.model_copy(update={"seed": 1}), home)
    assert len(set(ids(home))) == len(ids(home)) == 17


async def test_an_accepted_id_is_rejected_in_a_later_run(home: Home) -> None:
    await start(recipe("Fails", generator={"settings": {"rows": 3}}, source={"count": 3}), home)
    other = recipe("Fails", generator={"settings": {"rows": 4}}, source={"count": 4})
    report = await start(other, home)
    assert (report.accepted, report.rejected) == (1, 3)
    (stage,) = report.funnel
    assert (stage.filter, stage.reasons) == ("unique_id", {"already in the dataset": 3})


async def test_another_source_in_the_place_of_the_first_is_read_from_its_start(
    home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "problems.jsonl"
    wanted = Recipe.model_validate(
        {
            "name": "p", "source": {"type": "jsonl", "path": str(file)},
            "generator": {"name": "tests.flows.letters:Letters"}, "output": {"dataset": "numbers"},
        }
    )  # fmt: skip
    for letters, added in (("ab", "ab"), ("abc", "c"), ("xyz", "xyz")):
        file.write_text("".join(f'{{"problem": "{x}", "answer": "{x}"}}\n' for x in letters))
        report = await start(wanted, home)
        assert report.accepted == len(added)
    assert sorted(row.answer or "" for row in rows(home)) == list("abcxyz")


@pytest.mark.parametrize("targets", [(30, 30), (40, 15)])
async def test_concurrent_runs_accept_an_id_once_and_meet_their_targets(
    home: Home, targets: tuple[int, int]
) -> None:
    changes = {"source": {"count": 60}, "engine": {"concurrency": 4, "batch_rows": 7}}
    delay = {"settings": {"delay": 0.02}}
    runs = [recipe(target=target, generator=delay, **changes) for target in targets]
    reports = await asyncio.gather(*(start(run, home) for run in runs))
    assert len(set(ids(home))) == len(ids(home)) == sum(targets)
    assert [report.accepted for report in reports] == list(targets)
    history = Dataset.open(home, "numbers").history()
    assert sum(version.rows_added.get("accepted", 0) for version in history) == sum(targets)


async def test_a_run_resumed_after_another_went_on_repeats_none(home: Home) -> None:
    wanted = recipe(source={"count": 20}, budget={"candidates": 10})
    first = await start(wanted, home)
    await start(wanted, home)
    report = await resume(first.run_id, home, target=20, budget=Budget())
    assert (report.accepted, report.rejected) == (20, 10)
    assert len(set(ids(home))) == len(ids(home)) == 30
