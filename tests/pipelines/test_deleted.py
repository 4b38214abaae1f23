"""A run takes nothing from sources that were deleted from its dataset."""

from pathlib import Path

from synthmill.pipelines.run import start
from synthmill.schemas.recipe import Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source, unblock_source
from synthmill.store.home import Home
from tests.pipelines.conftest import recipe, rows


async def test_rows_of_a_deleted_source_count_towards_no_target(home: Home) -> None:
    await start(recipe(target=4), home)
    delete_source(Dataset.open(home, "numbers"), "numbers:1")
    report = await start(recipe(target=4, seed=1), home)
    assert (report.accepted, report.rejected) == (4, 2)
    (stage,) = report.funnel
    assert (stage.filter, stage.passed, stage.failed) == ("deleted_source", 4, 2)
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
