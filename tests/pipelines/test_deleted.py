"""A run takes nothing from sources that were deleted from its dataset."""

from synthmill.pipelines.run import start
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
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
