"""What the engine's tests share."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from synthmill.schemas.recipe import Recipe
from synthmill.schemas.row import Row
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "factory")


def recipe(part: str = "Squares", /, **changes: Any) -> Recipe:
    """A recipe over our own parts; mappings in `changes` are merged into the defaults."""
    data: dict[str, Any] = {
        "name": "numbers",
        "source": {"type": "tests.pipelines.parts:Numbers"},
        "generator": {"name": f"tests.pipelines.parts:{part}"},
        "models": {},
        "output": {"dataset": "numbers"},
    }
    for key, value in changes.items():
        data[key] = {**data[key], **value} if isinstance(data.get(key), dict) else value
    return Recipe.model_validate(data)


def run_process(home: Home, wanted: Recipe, kill_after: float | None = None) -> str:
    """Run or resume `wanted` in a process, which may kill itself; returns why the run ended."""
    command = [sys.executable, "-m", "tests.pipelines.runner", str(home.path), "killed"]
    command += [wanted.model_dump_json(), *([] if kill_after is None else [str(kill_after)])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.stdout.strip()


def rows(home: Home, status: Any = "accepted", dataset: str = "numbers") -> list[Row]:
    """The rows of a dataset without what differs from run to run, in a fixed order."""
    found = Dataset.open(home, dataset).rows(status=status)
    bare = (r.model_copy(update={"run_id": "", "created_at": None}) for r in found)
    return sorted(bare, key=lambda r: (r.task_key, r.id))
