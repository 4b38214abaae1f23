"""A wrong recipe, plug-in or argument ends in one line and exit code 2; nothing is written."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from synthmill.filters.load import load_filter
from synthmill.filters.run import safe_judge
from synthmill.flows.cli import main
from synthmill.models.errors import ConfigurationError
from synthmill.models.openai_api.body import conversation_text
from synthmill.models.request import Request, Sampling
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
RECIPE = {
    "name": "x",
    "source": {"type": "jsonl", "path": "x.jsonl"},
    "generator": {"name": "cotevol"},
    "output": {"dataset": "x"},
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with an empty source."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.jsonl").write_text('{"problem": "1 + 1", "answer": "2"}\n')
    return tmp_path


def one_line(*arguments: str) -> str:
    """The line that a command of the user's fault ends with."""
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == 2, result.output
    lines = result.output.strip().splitlines()
    assert "defect" not in result.output
    assert lines[-1].startswith(("synthmill: ", "Error: "))
    assert not Path("factory").exists()
    return lines[-1]


def refused(changes: dict[str, object]) -> str:
    """The line that a run of the recipe with other keys ends with."""
    Path("x.yaml").write_text(yaml.safe_dump({**RECIPE, **changes}))
    return one_line("run", "x.yaml", "--home", "factory")


class Heartbeat:
    """Measures for how long the event loop did nothing else at a time, at most."""

    def __init__(self) -> None:
        self.seconds = 0.0

    async def __aenter__(self) -> None:
        self._beats = asyncio.create_task(self._beat())

    async def __aexit__(self, *_: object) -> None:
        await asyncio.sleep(0.05)  # the last beat, which may be late
        self._beats.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            self.seconds = max(self.seconds, time.monotonic() - before)


NAMES = ("..a:x", ":x", "__init__", "a:", ".", "", "sys:exit", "a/b:c", "./x.py:y", "__main__:x")


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_no_plugins(place: Path, name: str) -> None:
    refused({"generator": {"name": name}})
    refused({"source": {"type": name}})
    if name != "sys:exit":
        refused({"filters": [name]})


@pytest.mark.parametrize("code", ["raise SystemExit", "1 / 0", "import no_such", "x = ("])
def test_modules_that_raise_when_they_are_imported(place: Path, code: str) -> None:
    (place / "own.py").write_text(code)
    for name in ("own:x", "./own.py:x"):
        assert "cannot be loaded" in refused({"generator": {"name": name}})
        assert "cannot be loaded" in refused({"filters": [name]})


def test_a_filter_that_exits_ends_no_run() -> None:
    candidate = Candidate(kind="sft", messages=[user("q"), assistant("a")])
    found = load_filter(FilterSpec(name="sys:exit"))
    verdict = safe_judge(found, candidate)  # type: ignore[arg-type]
    assert verdict.status == "error"


@pytest.mark.parametrize(
    "changes",
    [
        {"output": {"dataset": "x", "splits": {"train": float("nan")}}},
        {"output": {"dataset": "x", "splits": {"train": 2.0, "test": -1.0}}},
        {"output": {"dataset": "x", "splits": {"train": float("inf")}}},
        {"budget": {"dollars": float("inf")}},
        {"seed": 10**40},
        {"target": 10**400},
        {"source": {"type": "jsonl", "path": "a\0b"}},
        {"source": {"type": "jsonl", "path": "/dev/zero"}},
        {"source": {"type": "jsonl", "path": "/proc/self/environ"}},
    ],
)
def test_numbers_and_texts_that_cannot_be(place: Path, changes: dict[str, object]) -> None:
    refused(changes)


def test_half_a_character_in_a_recipe(place: Path) -> None:
    text = yaml.safe_dump(RECIPE).replace("x.jsonl", '"\\ud800.jsonl"')
    Path("x.yaml").write_text(text)
    one_line("run", "x.yaml", "--home", "factory")


@pytest.mark.parametrize(
    "change",
    [
        ".".join(["a"] * 3000) + "=1",
        "filters.²=1",
        "filters." + "9" * 5000 + "=1",
        "seed=" + "9" * 5000,
        "name=" + "[" * 5000,
        "seed=.nan",
        "source.path=\udcff",
    ],
)
def test_changes_that_cannot_be_made(place: Path, change: str) -> None:
    Path("x.yaml").write_text(yaml.safe_dump({**RECIPE, "filters": ["format"]}))
    one_line("run", "x.yaml", "--home", "factory", "--set", change)


def test_half_a_character_in_a_key(place: Path) -> None:
    text = yaml.safe_dump(RECIPE) + '"\\udcff": 1\nmodels: {default: {"\\udcff": {}}}\n'
    Path("x.yaml").write_text(text)
    one_line("run", "x.yaml", "--home", "factory")


def test_arguments_beyond_all_bounds(place: Path) -> None:
    one_line("maintain", "--keep-days", "99999999999", "--home", "factory")
    one_line("tag", "x", "name", "9" * 5000, "--home", "factory")


@pytest.mark.parametrize(
    "template",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}xxxxxxxx{% endfor %}{% endfor %}",
        "{{ 'x' * 10**10 }}",
        "{{ ().__class__.__mro__ }}",
        "{{ nothing.here }}",
        "{% for %}",
    ],
)
async def test_a_template_of_a_recipe_has_limits(template: str) -> None:
    request = Request(model="m", messages=(user("q"),), sampling=Sampling(), seed=1)
    heart = Heartbeat()
    async with heart:
        with pytest.raises(ConfigurationError, match="`template` fails"):
            await conversation_text(request, template)
    assert heart.seconds < 5, "the calls of others waited"


@pytest.mark.parametrize("limit", ["-d 500000", "-v 1500000"])
def test_a_memory_limit_that_is_too_small_is_one_line_and_no_hang(place: Path, limit: str) -> None:
    command = f"ulimit {limit}; exec {sys.executable} -m synthmill.flows.cli run cotevol-demo"
    done = subprocess.run(
        ["bash", "-c", command], cwd=place, env=ENVIRONMENT, capture_output=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.decode().startswith("synthmill: `ulimit")
    assert done.stderr.count(b"\n") == 1


def test_a_check_of_a_model_that_cannot_start_is_one_finding(place: Path) -> None:
    model = {"backend": "vllm", "model": "/no/such/model"}
    (place / "x.yaml").write_text(yaml.safe_dump({**RECIPE, "models": {"default": model}}))
    result = CliRunner().invoke(main, ["check", "x.yaml", "--home", str(place / "factory")])
    assert result.exit_code == 2
    assert "defect" not in result.output and "Traceback" not in result.output
