from pathlib import Path

import pytest

from synthmill.schemas.errors import InputError
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.home import RESERVED, Home
from synthmill.store.query import query


def test_home_is_found_by_option_then_variable_then_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNTHMILL_HOME", raising=False)
    assert Home.find().path == tmp_path / "factory"
    monkeypatch.setenv("SYNTHMILL_HOME", str(tmp_path / "other"))
    assert Home.find().path == tmp_path / "other"
    assert Home.find(tmp_path / "option").path == tmp_path / "option"


@pytest.mark.parametrize("name", ["", "A", "../x", "a b", "x_all", "x_at", "-a", "a" * 65])
def test_bad_dataset_names_are_refused(home: Home, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a dataset"):
        Dataset.create(home, name)
    assert home.dataset_names() == []


def test_no_dataset_takes_the_name_of_a_relation_of_the_catalog(home: Home) -> None:
    rebuild(home.prepare())
    relations = [name for (name,) in query(home, "SHOW TABLES").read_all().to_pandas().to_numpy()]
    assert set(relations) == RESERVED
    for name in relations:
        with pytest.raises(InputError, match="the catalog keeps the names"):
            Dataset.create(home, name)


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden"])
def test_bad_run_ids_are_refused(home: Home, name: str) -> None:
    with pytest.raises(InputError, match="cannot name a run"):
        home.run(name)


def test_names_of_datasets_and_runs(home: Home) -> None:
    assert (home.dataset_names(), home.run_ids()) == ([], [])
    Dataset.create(home, "b")
    Dataset.create(home, "a-1")
    home.run("r1").mkdir(parents=True)
    assert (home.dataset_names(), home.run_ids()) == (["a-1", "b"], ["r1"])


def test_home_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="a file is where a folder should be"):
        Home(tmp_path / "file").prepare()
