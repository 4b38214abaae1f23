"""Plug-ins in files: one file is one module, by whatever way it is loaded."""

from pathlib import Path

import pytest

from synthmill.schemas.errors import InputError
from synthmill.schemas.plugins import load_object


@pytest.mark.parametrize("order", [("pairs", "swaps"), ("swaps", "pairs")])
def test_files_that_import_each_other_share_their_classes(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    (tmp_path / "pairs.py").write_text("class Pair: ...\n", encoding="utf-8")
    (tmp_path / "swaps.py").write_text("from pairs import Pair\n", encoding="utf-8")
    first, second = (load_object(f"./{name}.py:Pair", tmp_path) for name in order)
    assert first is second


def test_files_of_one_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pairs.py").write_text(f"NAME = {name!r}\n", encoding="utf-8")
        (tmp_path / name / "swaps.py").write_text("from pairs import NAME\n", encoding="utf-8")
    found = [load_object("./swaps.py:NAME", tmp_path / name) for name in ("one", "two", "one")]
    assert found == ["one", "two", "one"]


def test_a_file_does_not_hide_a_library(tmp_path: Path) -> None:
    (tmp_path / "yaml.py").write_text("NAME = 'mine'\n", encoding="utf-8")
    assert load_object("./yaml.py:NAME", tmp_path) == "mine"
    import yaml

    assert yaml.safe_load("1") == 1


def test_a_file_that_raises_is_loaded_again_when_it_is_corrected(tmp_path: Path) -> None:
    file = tmp_path / "broken_once.py"
    file.write_text("raise ValueError('not yet')\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"ValueError: not yet \(broken_once.py, line 1\)"):
        load_object("./broken_once.py:NAME", tmp_path)
    file.write_text("NAME = 'corrected'\n", encoding="utf-8")
    assert load_object("./broken_once.py:NAME", tmp_path) == "corrected"
