"""The pages on plug-ins, followed to the letter in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
BLOCK = re.compile(r"```(python|yaml|json|sh)\n(.*?)```", re.DOTALL)
FILE = re.compile(r"`(\w+\.(?:py|yaml|jsonl))`")


def follow(page: str, folder: Path) -> list[str]:
    """Write each block to the file named last before it; return the commands of the page."""
    text, commands, end = (DOCS / page).read_text("utf-8"), [], 0
    for block in BLOCK.finditer(text):
        kind, code = block.groups()
        if kind == "sh":
            commands += code.splitlines()
        else:
            (folder / FILE.findall(text[end : block.start()])[-1]).write_text(code)
        end = block.end()
    return commands


def call(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "SYNTHMILL_HOME": str(folder / "factory")}
    environment.pop("PREFECT_API_URL", None)
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def synthmill(folder: Path, command: str) -> str:
    return call(folder, "synthmill.flows.cli", *command.split()[1:])


def test_writing_a_generator(tmp_path: Path) -> None:
    for command in follow("writing-a-generator.md", tmp_path):
        said = synthmill(tmp_path, command)
    assert "answer_equivalence" in said  # the last is `why`
    call(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "test_gcd.py")
    recipe = tmp_path / "recipe.yaml"
    text = re.sub(r"generator: .*", "generator: {name: ./riddles.py:Riddles}", recipe.read_text())
    recipe.write_text(text.replace("dataset: gcd", "dataset: riddles"))
    synthmill(tmp_path, "synthmill run recipe.yaml --target 3")
    assert "letters" in synthmill(tmp_path, "synthmill show riddles --rows 1")


def test_writing_a_filter(tmp_path: Path) -> None:
    for command in follow("writing-a-filter.md", tmp_path):
        said = synthmill(tmp_path, command)
    assert "no_name" in said or "Cleo" in said
    call(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "test_words.py")


@pytest.mark.parametrize("page", ["writing-a-generator.md", "writing-a-filter.md"])
def test_a_page_is_short(page: str) -> None:
    assert len((DOCS / page).read_text("utf-8").splitlines()) < 120
