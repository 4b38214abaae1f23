"""The source `datasets` on local datasets; nothing of the hub is needed."""

from pathlib import Path

import pytest

from synthmill.schemas.errors import InputError
from synthmill.sources.datasets import DatasetsSource

datasets = pytest.importorskip("datasets")


def source(path: Path, **settings: object) -> DatasetsSource:
    return DatasetsSource(DatasetsSource.Settings(path=str(path), **settings))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    rows = {"problem": ["a", "b"], "answer": ["1", "2"]}
    splits = datasets.DatasetDict(train=datasets.Dataset.from_dict(rows))
    splits.save_to_disk(str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_saved_to_disk(saved: Path) -> None:
    assert [problem.text for problem in source(saved).items()] == ["a", "b"]
    assert [problem.text for problem in source(saved / "train", limit=1).items()] == ["a"]


def test_unknown_split_names_the_nearest(saved: Path) -> None:
    with pytest.raises(InputError, match=r"no split 'trian'.*did you mean 'train'"):
        next(source(saved, split="trian").items())


def test_folder_of_data_files_is_streamed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.jsonl").write_text('{"problem": "a", "answer": "1"}\n')
    assert [problem.text for problem in source(tmp_path / "data").items()] == ["a"]


def test_nothing_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        next(source(tmp_path / "absent").items())
    assert "\n" not in str(error.value) and "cannot be read" in str(error.value)
