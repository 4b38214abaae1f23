"""A run takes nothing from sources that were deleted from its dataset, before or during it."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from synthmill.pipelines import source_blocklist
from synthmill.pipelines.run import resume, start
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source, unblock_source
from synthmill.store.home import Home
from synthmill.testing import ScriptedServer
from tests.models.roles import role
from tests.pipelines.conftest import recipe, rows


async def test_rows_of_a_deleted_source_count_towards_no_target(home: Home) -> None:
    await start(recipe(target=4), home)
    delete_source(Dataset.open(home, "numbers"), "numbers:1")
    report = await start(recipe(target=4, seed=1), home)
    assert (report.accepted, report.rejected) == (4, 2)
    (stage,) = report.funnel
    assert (stage.filter, stage.failed) == ("deleted_source", 2)
    assert stage.reasons == {"source was deleted": 2}
    left = [row.sources[0].uri for row in rows(home, None)]
    assert sorted(left) == ["numbers:0"] * 4 + ["numbers:2"] * 2


async def test_a_dataset_without_deletions_has_no_such_stage(home: Home) -> None:
    report = await start(recipe(target=4), home)
    assert report.funnel == []


async def test_a_deleted_file_is_barred_by_content_before_any_call(
    home: Home, tmp_path: Path
) -> None:
    first, copy = tmp_path / "problems.jsonl", tmp_path / "other-name.jsonl"
    first.write_text('{"problem": "fail", "answer": "1"}\n{"problem": "b", "answer": "2"}\n')
    copy.write_bytes(first.read_bytes())

    def wanted(path: Path) -> Recipe:
        return recipe(
            source={"type": "jsonl", "path": str(path)},
            generator={"name": "tests.flows.letters:Letters"},
        )

    report = await start(wanted(first), home)
    assert (report.accepted, report.failed) == (1, 1)
    deletion = delete_source(Dataset.open(home, "numbers"), str(first))
    assert deletion.rows == {"accepted": 1}
    report = await start(wanted(copy), home)
    assert (report.accepted, report.rejected, report.failed) == (0, 2, 0), "no task was worked on"
    assert report.funnel[0].reasons == {"source was deleted": 2}
    unblock_source(Dataset.open(home, "numbers"), str(first))
    report = await start(wanted(copy).model_copy(update={"seed": 1}), home)
    assert report.accepted == 1


def two_files(folder: Path, server: ScriptedServer, target: int | None = 30) -> Recipe:
    """A recipe that asks about 100 problems of one file, then about 100 of another."""
    for name in ("bad", "good"):
        problems = ({"problem": f"{name} question {n}", "answer": "1"} for n in range(100))
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, problems)))
    return recipe(
        "Retells",
        source={"type": "folder", "path": str(folder)},
        models={"default": role(server.url)},
        engine={"concurrency": 4, "batch_rows": 5},
        target=target,
    )


def asked_about_bad(server: ScriptedServer) -> int:
    return sum("bad question" in str(body) for body in server.bodies)


def assert_true(report: RunReport, home: Home) -> None:
    """The report counts what is in the dataset, and all of it came from the other source."""
    left = rows(home)
    assert report.accepted == len(left) == report.by_kind["sft"]
    assert {Path(row.sources[0].uri).name for row in left} == {"good.jsonl"}
    assert report.emitted == report.accepted + report.rejected + report.failed


async def test_a_source_that_is_deleted_during_a_run_is_bought_no_more(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_blocklist, "WATCH_SECONDS", 0.05)
    (tmp_path / "in").mkdir()
    deleted = list[int]()

    async def delete(version: int, batch: Sequence[Row]) -> None:
        if not deleted:
            done = await asyncio.to_thread(
                delete_source, Dataset.open(home, "numbers"), "*/bad.jsonl"
            )
            deleted.append(done.rows["accepted"])

    with ScriptedServer(latency=0.05) as server:
        report = await start(two_files(tmp_path / "in", server), home, on_commit=delete)
        assert deleted[0] >= 5
        assert asked_about_bad(server) < 3 * 50
    assert (report.stop, report.accepted) == ("target met", 30)
    assert_true(report, home)
    (stage,) = report.funnel
    assert stage.filter == "deleted_source" and stage.failed == report.rejected == 100


async def test_a_run_that_is_resumed_after_a_deletion_makes_other_rows(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    with ScriptedServer() as server:
        first = await start(two_files(tmp_path / "in", server, 20), home, run_id="r")
        assert first.accepted == 20
        delete_source(Dataset.open(home, "numbers"), "*/bad.jsonl")
        report = await resume("r", home)
    assert (report.stop, report.accepted) == ("target met", 20)
    assert_true(report, home)


async def test_a_run_that_ends_after_a_deletion_counts_no_rows_that_are_gone(
    home: Home, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("bad", "good"):
        text = json.dumps({"problem": f"{name} question", "answer": "1"})
        (tmp_path / "in" / f"{name}.jsonl").write_text(text)

    async def delete(version: int, batch: Sequence[Row]) -> None:
        dataset = Dataset.open(home, "numbers")
        await asyncio.to_thread(delete_source, dataset, "*/bad.jsonl")

    wanted = recipe(
        source={"type": "folder", "path": str(tmp_path / "in")},
        generator={"name": "tests.flows.letters:Letters"},
    )
    report = await start(wanted, home, on_commit=delete)
    assert (report.accepted, report.rejected) == (1, 1)
    assert_true(report, home)
