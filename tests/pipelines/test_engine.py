"""The engine's promises: exact targets, the same rows at any concurrency, counts that add up."""

import asyncio
import os
import re
import signal
from pathlib import Path

import pytest

from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.run import preview, resume, start
from synthmill.schemas.report import RunReport
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.pipelines.conftest import recipe, rows
from tests.pipelines.parts import Even


def adds_up(report: RunReport) -> bool:
    return report.emitted == report.accepted + report.rejected + report.failed


async def test_a_run_makes_exactly_the_rows_it_was_asked_for(home: Home) -> None:
    report = await start(recipe(target=7), home)
    assert (report.stop, report.accepted, len(rows(home))) == ("target met", 7, 7)


async def test_a_run_without_target_ends_with_its_source(home: Home) -> None:
    report = await start(recipe(source={"count": 5}), home)
    assert (report.stop, report.accepted, report.tasks) == ("source exhausted", 10, 5)


@pytest.mark.parametrize("concurrency", [2, 64])
async def test_concurrency_does_not_show_in_the_rows(tmp_path: Path, concurrency: int) -> None:
    alone, crowd = Home(tmp_path / "alone"), Home(tmp_path / "crowd")
    slow = {"generator": {"settings": {"delay": 0.01, "fail_every": 5}}, "target": 21}
    await start(recipe(**slow, engine={"concurrency": 1}), alone)
    await start(recipe(**slow, engine={"concurrency": concurrency}), crowd)
    assert rows(alone, None) == rows(crowd, None)


async def test_failed_tasks_and_bad_input_are_counted_with_their_reasons(home: Home) -> None:
    report = await start(
        recipe(
            source={"count": 20, "bad_every": 10},
            generator={"settings": {"fail_every": 4}},
        ),
        home,
    )
    ((reason, times),) = report.failures.items()
    assert times == 5
    assert re.fullmatch(r"ValueError: no square today \(pipelines/parts.py:\d+\)", reason)
    assert (report.accepted, report.rejected, report.failed) == (31, 2, 5)
    assert adds_up(report)
    assert [stage.reasons for stage in report.funnel] == [{"not a number": 2}]
    assert {r.verdicts[0].reason for r in rows(home, "rejected")} == {"not a number"}


async def test_a_target_met_inside_a_task_can_be_raised_later(tmp_path: Path) -> None:
    straight, twice = Home(tmp_path / "straight"), Home(tmp_path / "twice")
    await start(recipe(generator={"settings": {"rows": 3}}, target=20), straight)
    first = await start(recipe(generator={"settings": {"rows": 3}}, target=8), twice)
    report = await resume(first.run_id, twice, target=20)
    assert (report.accepted, report.tasks) == (20, 6)
    assert rows(twice, None) == rows(straight, None)


async def test_resuming_a_finished_run_changes_nothing(home: Home) -> None:
    first = await start(recipe(target=4), home)
    version = Dataset.open(home, "numbers").version
    again = await resume(first.run_id, home)
    assert again.stop == "target met"
    assert Dataset.open(home, "numbers").version == version


async def test_a_candidate_budget_is_kept(home: Home) -> None:
    report = await start(recipe(target=30, budget={"candidates": 9}), home)
    assert (report.stop, report.emitted) == ("budget spent", 9)


async def test_the_same_questions_again_are_duplicates_of_the_earlier_version(home: Home) -> None:
    filters = [{"name": "exact_content", "settings": {"of": "question"}}]
    first = await start(recipe(filters=filters, source={"count": 4}), home)
    report = await start(recipe(filters=filters, source={"count": 4}, seed=1), home)
    assert (report.accepted, report.rejected) == (0, 8)
    assert report.continues is None and first.continues is None
    earlier = {row.id for row in rows(home)}
    matched = [row.verdicts[-1].detail or "" for row in rows(home, "rejected")]
    assert all(any(row_id in text for row_id in earlier) for text in matched)


async def test_a_preview_commits_nothing(home: Home) -> None:
    made, report = await preview(recipe(), home, rows=3)
    assert len(made) == 3 and report.accepted == 3
    assert home.dataset_names() == []


async def test_a_slow_watcher_is_never_cut_off_and_sees_the_end(home: Home) -> None:
    begun, ended = [], []

    async def watch(progress: Progress) -> None:
        begun.append(progress.accepted)
        await asyncio.sleep(0.2)
        ended.append(progress.accepted)

    await start(recipe(target=4), home, on_progress=watch)
    assert begun == ended and ended[-1] == 4


async def test_a_run_in_which_every_task_failed_is_a_failure_without_a_version(home: Home) -> None:
    report = await start(recipe("Fails"), home)
    assert (report.stop, report.failed, report.versions) == ("failed", 20, [])
    detail = report.stop_detail or ""
    assert "all 20 tasks failed" in detail
    assert re.search(r"LookupError: nothing to be found \(pipelines/parts.py:\d+\)", detail)
    assert Dataset.open(home, "numbers").version == 0
    assert adds_up(report)


async def test_some_failed_tasks_are_no_failed_run(home: Home) -> None:
    report = await start(recipe("Fails", generator={"settings": {"rows": 1}}), home)
    assert (report.stop, report.accepted, report.failed) == ("source exhausted", 1, 19)


async def test_a_generator_sees_verdicts_early_and_no_filter_looks_twice(home: Home) -> None:
    Even.looked.clear()
    report = await start(recipe("Checked", source={"count": 12}), home)
    made = rows(home, None)
    assert len(made) == 12 and report.failed == 0
    assert all(len(row.verdicts) == 1 for row in made)
    odd = sum(int(text) % 2 for text in Even.looked)
    assert 12 < len(Even.looked) == report.accepted + odd


async def test_a_default_filter_is_retuned_or_switched_off_by_the_recipe(home: Home) -> None:
    off = [{"name": "tests.pipelines.parts:Even", "enabled": False}]
    report = await start(recipe("Checked", source={"count": 4}, filters=off), home)
    assert (report.accepted, report.funnel) == (4, [])


async def test_a_worker_is_killed_at_the_limit_of_its_call(home: Home) -> None:
    limited = {"settings": {"limit_seconds": 0.05}}
    report = await start(recipe("Checked", generator=limited, source={"count": 2}), home)
    ((reason, times),) = report.failures.items()
    assert (report.stop, times) == ("failed", 2) and reason.startswith("WorkerTimeout")


async def test_plugins_lie_beside_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from tests.pipelines.parts import Squares\n\n"
        "class Mine(Squares):\n    name = 'mine'\n\n"
        "def short(candidate):\n    return len(candidate.messages[1].text) < 9, 'long'\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nsource: {type: 'tests.pipelines.parts:Numbers'}\nmodels: {}\n"
        "generator: {name: './mine.py:Mine'}\nfilters: ['./mine.py:short']\n"
        "output: {dataset: numbers}\n"
    )
    home = Home(tmp_path / "factory")
    first = await start(read_recipe(tmp_path / "mine.yaml").model_copy(update={"target": 3}), home)
    assert (first.generator, first.accepted) == ("mine@1", 3)
    report = await resume(first.run_id, home, target=5)
    assert report.accepted == 5 and [stage.filter for stage in report.funnel] == ["short"]


async def test_an_interrupt_ends_the_preparation_which_cleans_up(home: Home) -> None:
    seen: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.status and not seen:
            seen.append(progress.status)
            os.kill(os.getpid(), signal.SIGINT)

    report = await asyncio.wait_for(start(recipe("Prepares"), home, on_progress=watch), 30)
    assert report.stop == "interrupted" and report.versions == []
    assert re.fullmatch(r"counted: \d+", seen[0])
    assert not (home.cache / "counted").exists()
