"""Targets per kind: named kinds are exact, at any concurrency, killed or not."""

import asyncio
import tempfile
from collections import Counter
from collections.abc import AsyncGenerator
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthmill.flows.report_text import shortfall
from synthmill.generators.base import Context, Generator, Task
from synthmill.pipelines.checkpoint import Tally
from synthmill.pipelines.run import resume, start
from synthmill.pipelines.stop_conditions import AdmissionControl, Progression
from synthmill.schemas.base import Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import Budget, Recipe
from synthmill.schemas.row import Candidate
from synthmill.schemas.targets import Target, Targets, checked_target, target_from_text
from synthmill.store.home import Home
from tests.pipelines.conftest import recipe, rows, run_process
from tests.pipelines.parts import Number

MET = "target of this kind met"


class MixedSettings(Settings):
    delay: float = 0.0
    lie: bool = False


class Mixed(Generator[MixedSettings]):
    """One `sft` row for each number, an `rlvr` row for every third, two pairs for every fifth."""

    name = "mixed"
    item = Number
    kinds = ("sft", "rlvr", "preference")

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        number = task.item.value
        await asyncio.sleep(self.settings.delay * (hash(number * 7919) % 5) / 5)
        question = [user(f"number {number}")]
        if self.settings.lie:
            yield Candidate(kind="corpus", messages=question)
        yield Candidate(kind="sft", messages=[*question, assistant(str(number))])
        if number % 3 == 0:
            yield Candidate(kind="rlvr", messages=question, answer=str(number))
        for take in range(2 if number % 5 == 0 else 0):
            chosen = [assistant(f"{number} take {take}")]
            yield Candidate(
                kind="preference", messages=question, chosen=chosen, rejected=[assistant("?")]
            )


def mixed(target: Target, concurrency: int = 64, **changes: object) -> Recipe:
    found = recipe(source={"count": 300}, target=target, engine={"concurrency": concurrency})
    own = {"name": "tests.pipelines.test_kinds:Mixed", "settings": changes}
    return Recipe.model_validate({**found.model_dump(exclude_unset=True), "generator": own})


targets = st.dictionaries(
    st.sampled_from(["sft", "rlvr", "preference"]), st.integers(0, 40), min_size=1
).filter(lambda target: any(target.values()))


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(target=targets, concurrency=st.sampled_from([1, 3, 64]))
def test_named_kinds_are_exact_at_any_concurrency(target: Target, concurrency: int) -> None:
    assert isinstance(target, dict)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        asyncio.run(start(mixed(target, 1, delay=0.002), Home(one)))
        report = asyncio.run(start(mixed(target, concurrency, delay=0.002), Home(other)))
        made = rows(Home(other), None)
        assert made == rows(Home(one), None)
    assert report.stop == "target met" and not report.missing
    kinds = Counter(row.kind for row in made if row.status == "accepted")
    assert all(kinds[kind] == number for kind, number in target.items())
    beyond = [row for row in made if row.status == "rejected"]
    assert {row.verdicts[-1].reason for row in beyond} <= {MET}
    assert {row.kind for row in beyond} <= target.keys()
    assert report.emitted == report.accepted + report.rejected == len(made)


def test_kills_and_resumes_end_in_the_rows_of_an_undisturbed_run(tmp_path: Path) -> None:
    wanted = mixed({"sft": 120, "rlvr": 55, "preference": 0}, 8, delay=0.02)
    wanted = wanted.model_copy(
        update={"engine": wanted.engine.model_copy(update={"batch_rows": 9})}
    )
    calm, rough, rng = Home(tmp_path / "calm"), Home(tmp_path / "rough"), Random(5)
    report = asyncio.run(start(wanted, calm))
    assert (report.by_kind, report.stop) == ({"sft": 120, "rlvr": 55}, "target met")
    for _ in range(3):
        run_process(rough, wanted, kill_after=rng.uniform(0, 0.3))
    assert run_process(rough, wanted) == "target met"
    assert rows(rough, None) == rows(calm, None)


async def test_a_raised_target_goes_on_and_brings_no_rejected_row_back(home: Home) -> None:
    first = await start(mixed({"sft": 5, "rlvr": 5}), home)
    refused = {row.id for row in rows(home, "rejected")}
    assert refused and first.rejections == {"sft": {"target": len(refused)}}
    report = await resume(first.run_id, home, target={"sft": 20, "rlvr": 5})
    assert (report.stop, report.by_kind["sft"], report.by_kind["rlvr"]) == ("target met", 20, 5)
    assert not refused & {row.id for row in rows(home)}


async def test_a_run_that_falls_short_names_kind_and_filter(home: Home) -> None:
    report = await start(mixed({"sft": 400, "rlvr": 20}), home)
    assert (report.stop, report.missing) == ("source exhausted", {"sft": 100})
    assert shortfall(report) == [
        "short of 100 sft rows: 300 of 400 accepted",
        "to go on: a larger source, another seed (--seed N)",
    ]
    again = await start(mixed({"sft": 310}).model_copy(update={"seed": 1}), home)
    line, _ = shortfall(again)
    assert line == "short of 310 sft rows: 0 of 310 accepted, 300 rejected by unique_id (300)"


async def test_a_kind_that_never_comes_is_told_before_anything_is_written(home: Home) -> None:
    with pytest.raises(InputError, match="no rows of kind trajectory with these settings, only"):
        await start(mixed({"sft": 1, "trajectory": 2}), home)
    assert not home.path.exists()
    assert (await start(mixed({"sft": 1, "trajectory": 0}), home)).stop == "target met"


async def test_a_generator_that_emits_what_it_does_not_declare_fails(home: Home) -> None:
    report = await start(mixed({"sft": 3}, lie=True), home)
    assert report.stop == "failed"
    assert "declares sft, rlvr, preference rows, not corpus" in (report.stop_detail or "")


async def test_a_target_that_only_excludes_kinds_ends_with_the_source(home: Home) -> None:
    report = await start(mixed({"sft": 0}), home)
    assert (report.stop, report.by_kind) == ("source exhausted", {"rlvr": 100, "preference": 120})
    assert report.rejections == {"sft": {"target": 300}} and shortfall(report) == []


@given(
    limits=st.fixed_dictionaries({"sft": st.integers(1, 60), "rlvr": st.integers(1, 60)}),
    rare=st.integers(1, 9),
)
def test_admission_goes_on_until_every_kind_has_its_rows(limits: dict[str, int], rare: int) -> None:
    """Each task gives an `sft` row, one in `rare` an `rlvr` row as well."""
    goal = Targets(limits)  # type: ignore[arg-type]
    control, tally, running, started = AdmissionControl(goal, Budget()), Tally(), 0, 0
    while not goal.met(tally.by_kind):
        while control.may_start(tally):
            control.started()
            running, started = running + 1, started + 1
        assert running > 0
        found = Progression(1, Counter(sft=1, rlvr=int(tally.tasks % rare == 0)), 2)
        control.finished(found)
        control.settled(found)
        running -= 1
        tally.tasks += 1
        tally.by_kind.update(found.by_kind)
    needed = max(limits["sft"], rare * (limits["rlvr"] - 1) + 1)
    assert needed <= started <= 2 * needed + 20


@pytest.mark.parametrize(
    ("text", "target"),
    [("100", 100), ("sft=100", {"sft": 100}), ("sft=1, rlvr=0", {"sft": 1, "rlvr": 0})],
)
def test_targets_on_the_command_line(text: str, target: Target) -> None:
    assert target_from_text(text) == target


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "sft=", "sft=x", "5,sft=3", "sft=1,sft=2"])
def test_what_is_no_target(text: str) -> None:
    with pytest.raises(ValueError):
        target_from_text(text)


@given(st.one_of(st.none(), st.integers(), st.floats(), st.text(), st.lists(st.integers())))
def test_a_target_is_a_positive_number_or_refused(given: object) -> None:
    try:
        target = checked_target(given)
    except ValueError as error:
        assert "number" in str(error)
    else:
        assert target is None or (isinstance(target, int) and 0 < target == given)
