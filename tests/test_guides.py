"""The quickstart and the page on recipes, followed to the letter in an empty folder."""

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.plan import make_plan
from synthmill.schemas.recipe import (
    Budget,
    EngineSettings,
    FilterSpec,
    GeneratorSpec,
    ModelSpec,
    OutputSpec,
    Price,
    Recipe,
)  # fmt: skip
from tests.pages import ROOT, Shell, blocks, write_files

PAGE = ROOT / "docs" / "recipes.md"


def test_the_quickstart(tmp_path: Path) -> None:
    shell, said = Shell(tmp_path), {}
    for command in write_files(ROOT / "docs" / "quickstart.md", tmp_path):
        if command.startswith("cd "):
            shell.folder /= command.removeprefix("cd ")
        else:
            said[command] = shell.run(command)
    assert "8 of the 8 rows hold a problem" in said["synthmill init arithmetic --from problems.csv"]
    assert "finished" in said["synthmill ls --runs"]
    assert (shell.folder / "for-trl" / "README.md").is_file()


def test_the_recipes_of_the_page(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    asked = [line for line in write_files(PAGE, tmp_path) if line.startswith("synthmill")]
    said = {command: shell.run(command) for command in asked}
    assert "= 4 accepted" in said["synthmill why full"]
    assert "target met" in said["synthmill run full.yaml"]
    assert "target met" in shell.run("synthmill run level2.yaml")
    recipe = read_recipe(tmp_path / "full.yaml")
    assert [stage.filter.name for stage in make_plan(recipe).verifiers] == ["format", "has_steps"]


def test_the_mistakes_of_the_page(tmp_path: Path) -> None:
    (block,) = (b for b in blocks(PAGE) if b.code.startswith("wrong.yaml"))
    text = "name: wrong\nsource: {type: csv, pth: problems.csv}\ngenerator: {name: cotevo}\n"
    text += "filters:\n  - {name: minhash, settings: {treshold: 1}}\noutput: {dataset: wrong}\n"
    (tmp_path / "wrong.yaml").write_text(text, encoding="utf-8")
    said = Shell(tmp_path).run("synthmill check wrong.yaml", fails=True)
    told = [line.removeprefix("FAIL recipe: ") for line in said.splitlines()]
    assert told == block.code.splitlines()


def test_every_key_is_on_the_page() -> None:
    table = PAGE.read_text("utf-8").partition("## Every key")[2].partition("## ")[0]
    named = set(re.findall(r"`\.?(?:\w+\.)*(\w+)`", table))
    assert set(keys(Recipe)) <= named


def keys(model: type[BaseModel]) -> Iterator[str]:
    parts = (GeneratorSpec, ModelSpec, Price, FilterSpec, Budget, OutputSpec, EngineSettings)
    for part in (model, *parts):
        holds_parts = {"budget", "output", "engine", "models", "generator"}
        yield from (name for name in part.model_fields if name not in holds_parts)
