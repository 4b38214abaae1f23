"""The pages on plug-ins, followed to the letter in an empty folder."""

import re
from pathlib import Path

import pytest

from tests.pages import ROOT, Shell, write_files

DOCS = ROOT / "docs"
PYTEST = "python -m pytest -q -p no:cacheprovider"


def test_writing_a_generator(tmp_path: Path) -> None:
    shell, said = Shell(tmp_path), ""
    for command in write_files(DOCS / "writing-a-generator.md", tmp_path):
        said = shell.run(command)
    assert "answer_equivalence" in said  # the last is `why`
    shell.run(f"{PYTEST} test_gcd.py")
    recipe = tmp_path / "recipe.yaml"
    text = re.sub(r"generator: .*", "generator: {name: ./riddles.py:Riddles}", recipe.read_text())
    recipe.write_text(text.replace("dataset: gcd", "dataset: riddles"))
    shell.run("synthmill run recipe.yaml --target 3")
    assert "letters" in shell.run("synthmill show riddles --rows 1")


def test_writing_a_filter(tmp_path: Path) -> None:
    shell, said = Shell(tmp_path), ""
    for command in write_files(DOCS / "writing-a-filter.md", tmp_path):
        said = shell.run(command)
    assert "no_name" in said
    shell.run(f"{PYTEST} test_words.py")


@pytest.mark.parametrize("page", ["writing-a-generator.md", "writing-a-filter.md"])
def test_a_page_is_short(page: str) -> None:
    assert len((DOCS / page).read_text("utf-8").splitlines()) < 120
