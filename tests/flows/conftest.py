"""A small real dataset, and the command line in this process and as a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from synthmill.flows.cli import main

ROOT = Path(__file__).parents[2]
Synthmill = Callable[..., Result]
PREFECT = ("PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH", "PREFECT_HOME")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe over ten problems, one of them with a z, one that fails, one without an answer."""
    problems = [{"problem": f"say {letter}", "answer": letter} for letter in "abcdefz"]
    problems += [{"problem": "fail here", "answer": "x"}, {"problem": "say g", "answer": "g"}]
    source = tmp_path / "problems.jsonl"
    lines = [json.dumps(problem) for problem in problems] + ["{broken"]
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    path = tmp_path / "letters.yaml"
    path.write_text(yaml.safe_dump(recipe_data(source)), encoding="utf-8")
    return path


def recipe_data(source: Path) -> dict[str, object]:
    """The recipe as data."""
    return {
        "name": "letters",
        "source": {"type": "jsonl", "path": str(source)},
        "generator": {"name": "tests.flows.letters:Letters"},
        "filters": [{"name": "tests.flows.letters:NoZ"}],
        "output": {"dataset": "letters"},
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where the data goes."""
    return tmp_path / "factory"


@pytest.fixture
def environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of the command line: this home, and no Prefect."""
    for name in PREFECT:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(home.parent / "prefect"))
    monkeypatch.setenv("SYNTHMILL_HOME", str(home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return dict(os.environ)


@pytest.fixture
def synthmill(environment: dict[str, str]) -> Synthmill:
    """The command line in this process."""

    def call(*arguments: str, input: str | None = None) -> Result:
        return CliRunner().invoke(main, list(arguments), input=input)

    return call


@pytest.fixture
def dataset(recipe: Path, synthmill: Synthmill) -> str:
    """The dataset that the recipe makes."""
    result = synthmill("run", str(recipe))
    assert result.exit_code == 0, result.output
    return "letters"


def process(
    *arguments: str, environment: dict[str, str], timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own, its output in a pipe."""
    return subprocess.run(
        [sys.executable, "-m", "synthmill.flows.cli", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
