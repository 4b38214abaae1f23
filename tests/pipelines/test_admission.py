"""Small targets start few tasks; what was bought and not used is reported."""

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.calls_per_row import needed_tokens
from synthmill.pipelines.checkpoint import Tally
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import preview, start
from synthmill.pipelines.stop_conditions import AdmissionControl, Progression
from synthmill.schemas.recipe import Budget
from synthmill.schemas.targets import Targets
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.testing import ScriptedServer
from tests.pipelines.conftest import recipe, rows
from tests.pipelines.test_faults import asking


@pytest.mark.parametrize(("target", "most"), [(1, 2), (5, 6), (40, 44)])
async def test_a_target_far_below_the_concurrency_starts_few_tasks(
    home: Home, target: int, most: int
) -> None:
    """Each task makes two calls and two rows."""
    with ScriptedServer(latency=0.01) as server:
        report = await start(asking(server, target=target), home)
        assert (report.stop, report.accepted) == ("target met", target)
        assert len(server.bodies) <= most
        bought = sum(usage.bought.tokens for usage in report.usage.values())
        used = sum(row.prompt_tokens + row.completion_tokens for row in rows(home))
        assert report.unused.tokens <= bought - used <= 2 * used


async def test_a_small_target_of_cotevol_buys_little_more_than_it_needs(home: Home) -> None:
    report = await start(read_recipe("cotevol-demo").model_copy(update={"target": 5}), home)
    needed = needed_tokens(rows(home, None, dataset="cotevol-demo"))
    bought = sum(usage.bought.tokens for usage in report.usage.values())
    assert report.accepted == 5 and needed <= bought <= 3 * needed


async def test_a_preview_starts_few_tasks(tmp_path: Path) -> None:
    home = Home(tmp_path / "factory")
    with ScriptedServer(latency=0.01) as server:
        made, _ = await preview(asking(server), home, rows=3)
        assert len(made) == 3 and len(server.bodies) <= 6
    assert [path.name for path in home.path.iterdir()] == ["cache"]


async def test_what_was_bought_and_not_used_is_reported(home: Home) -> None:
    """The first task alone fills the target, after others have started."""
    wanted = recipe("Squares", generator={"settings": {"rows": 30, "delay": 0.002}}, target=25)
    report = await start(wanted, home)
    assert report.unused.tokens == 0 and report.tasks == 0  # Squares buys nothing
    assert Dataset.open(home, "numbers").version == 1
    with ScriptedServer(latency=0.01) as server:
        asked = asking(server, target=25, generator={"settings": {"takes": 30}})
        report = await start(asked, Home(home.path / "other"))
        assert 0 < report.unused.calls <= len(server.bodies) - 25


async def test_a_budget_of_tokens_is_not_overrun_by_a_whole_window(home: Home) -> None:
    with ScriptedServer(latency=0.01) as server:
        one = await start(asking(server, target=2), Home(home.path / "one"))
        tokens = one.used.tokens
        report = await start(asking(server, budget={"tokens": 10 * tokens}, seed=1), home)
    bought = sum(usage.bought.tokens for usage in report.usage.values())
    assert report.stop == "budget spent" and 10 * tokens <= bought <= 14 * tokens


@given(
    target=st.integers(1, 500),
    gains=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    concurrency=st.integers(1, 64),
)
def test_a_run_never_stalls_and_holds_no_more_tasks_than_it_needs(
    target: int, gains: list[int], concurrency: int
) -> None:
    control, tally = AdmissionControl(Targets(target), Budget()), Tally()
    running, position = 0, 0
    while tally.accepted < target and position < 200:
        while running < concurrency and control.may_start(tally):
            control.started()
            running += 1
        assert running > 0
        missing, gain = target - tally.accepted, gains[position % len(gains)]
        if len(set(gains)) == 1 and gain:
            assert running <= max(math.ceil(missing / gain), math.ceil(math.sqrt(target)))
        found = Progression(tasks=1, by_kind=Counter(sft=gain), emitted=4)
        control.finished(found)
        control.settled(found)
        running, position = running - 1, position + 1
        tally.tasks += 1
        tally.accepted += gain
        tally.by_kind["sft"] += gain
