"""`datasets` loads any version, whole and streaming."""

from pathlib import Path

import pytest

from synthmill.schemas.arrow import row_from_record
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.maintenance import compact
from synthmill.store.snapshot import DatasetSnapshot
from tests.store.building import commit, make_rows, read_ids


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)


@pytest.mark.parametrize("streaming", [False, True])
def test_every_version_loads(dataset: Dataset, streaming: bool) -> None:
    commit(dataset, make_rows(0, 10), 0)
    commit(dataset, make_rows(10, 20), 1)
    compact(dataset)
    delete_source(dataset, "https://site1.example/*")
    for version in (0, 1, 2, 3, 5, None):
        for status in ("accepted", "rejected"):
            loaded = DatasetSnapshot(dataset, version).to_datasets(status, streaming)  # type: ignore[arg-type]
            assert sorted(row["id"] for row in loaded) == read_ids(dataset, version, status)


def test_rows_come_back_whole(dataset: Dataset) -> None:
    commit(dataset, make_rows(1, 2), 0)
    (record,) = DatasetSnapshot(dataset).to_datasets()
    assert row_from_record({**record, "status": "accepted"}) == make_rows(1, 2)[0]
