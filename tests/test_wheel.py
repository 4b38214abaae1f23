"""The wheel works in an empty environment outside the checkout, and installs one name."""

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "build", "*.egg-info", "tests", "factory", "__pycache__")
NEEDED = (
    "synthmill/py.typed",
    "synthmill/rewards/squad.py",
    "synthmill/pipelines/recipes/cotevol-demo.yaml",
    "synthmill/pipelines/recipes/problems/middle.jsonl",
    "synthmill/models/embedded/weights/graph.onnx",
    "synthmill/models/embedded/weights/model.safetensors",
    "synthmill/models/embedded/weights/chat_template.jinja",
    "synthmill/generators/cotevol/prompts/solve.jinja",
    "synthmill/data_cards/card.md.jinja",
    "synthmill/flows/project_template/recipe.yaml.jinja",
    "synthmill/testing/scripted_server.py",
)
PROGRAM = """
import json, synthmill
recipe = {
    "name": "from-python",
    "source": {"type": "jsonl", "path": "problems.jsonl"},
    "generator": {"name": "cotevol"},
    "target": 1,
    "output": {"dataset": "from-python"},
}
report = synthmill.run(recipe)
rows = list(synthmill.open_dataset(report.dataset).rows())
print(json.dumps([synthmill.__file__, len(rows), rows[0].answer]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, since setuptools leaves its build folder beside the source.
    shutil.copytree(ROOT, folder / "source", symlinks=True, ignore=LEFT_OUT)
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder), str(folder / "source"))
    (built,) = folder.glob("synthmill-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel; its dependencies are those of this one, by a `.pth` file."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    site = next(folder.glob("lib/python*/site-packages"))
    dependencies = [path for path in sys.path if path.endswith("-packages")]
    (site / "dependencies.pth").write_text("\n".join(dependencies) + "\n", "utf-8")
    pip(
        "--python", str(folder / "bin" / "python"), "install", "--no-deps", "--no-index", str(wheel)
    )
    return folder


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr


def run(environment: Path, folder: Path, *command: str) -> str:
    names = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    names.pop("PYTHONPATH", None)
    names["SYNTHMILL_HOME"] = str(folder / "factory")
    program, *arguments = command
    done = subprocess.run(
        [environment / "bin" / program, *arguments],
        cwd=folder,
        env=names,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_one_package_with_its_data(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"synthmill"}
    assert [name for name in NEEDED if name not in names] == []
    rooms = {name.split("/")[1] for name in names if name.startswith("synthmill/")}
    assert {path.name for path in (ROOT / "synthmill").iterdir() if path.is_symlink()} <= rooms


def test_the_demo_runs_outside_the_checkout(environment: Path, tmp_path: Path) -> None:
    shown = run(environment, tmp_path, "synthmill", "run", "cotevol-demo", "--target", "20")
    assert "target met" in shown


def test_a_project_runs_outside_the_checkout(environment: Path, tmp_path: Path) -> None:
    run(environment, tmp_path, "synthmill", "init", "project")
    shown = run(environment, tmp_path, "synthmill", "run", "project/recipe.yaml", "--target", "3")
    assert "target met" in shown
    tested = "from synthmill.testing import judge, make_row; print(judge('length', make_row()))"
    assert "pass" in run(environment, tmp_path, "python", "-c", tested)


def test_python_runs_a_recipe_given_as_a_mapping(environment: Path, tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text('{"problem": "What is 12 + 30?", "answer": "42"}\n')
    shown = run(environment, tmp_path, "python", "-c", PROGRAM)
    file, rows, answer = json.loads(shown.splitlines()[-1])
    assert file.startswith(str(environment))
    assert rows >= 1 and answer == "42"
