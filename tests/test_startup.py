"""A short run loads what it needs: the modules of a real process are looked at."""

import json
import subprocess
import sys
from pathlib import Path

import yaml

CODE = """
import sys
from synthmill.flows.cli import main
try:
    main({arguments!r})
except SystemExit as ended:
    assert not ended.code, ended.code
print("LOADED", *sys.modules)
"""
ROOT = Path(__file__).parents[1]


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The top-level modules that a command leaves loaded."""
    code = CODE.format(arguments=[*arguments, "--home", str(folder / "factory")])
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {name.split(".")[0] for name in run.stdout.split("LOADED", 1)[1].split()}


def write_recipe(folder: Path) -> str:
    (folder / "problems.jsonl").write_text('{"problem": "say a", "answer": "a"}\n', "utf-8")
    recipe = {
        "name": "one-row",
        "source": {"type": "jsonl", "path": str(folder / "problems.jsonl")},
        "generator": {"name": "tests.flows.letters:Letters"},
        "output": {"dataset": "one-row"},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe), "utf-8")
    return str(path)


def test_a_one_row_run_loads_neither_pandas_nor_prefect(tmp_path: Path) -> None:
    modules = loaded(tmp_path, "run", write_recipe(tmp_path))
    assert {"pyarrow", "deltalake", "duckdb"} <= modules
    assert modules & {"pandas", "prefect", "datasets", "torch", "faiss", "av"} == set()
    report = json.loads(next(tmp_path.glob("factory/runs/*/report.json")).read_text("utf-8"))
    assert report["accepted"] == 1


def test_pandas_still_works_after_pyarrow_was_kept_from_it() -> None:
    code = (
        "from synthmill.flows.startup import import_pyarrow_without_pandas as hook; hook()\n"
        "import sys, pyarrow as pa; pa.array([1]); assert 'pandas' not in sys.modules\n"
        "assert pa.table({'a': [1]}).to_pandas()['a'].sum() == 1\n"
        "import pandas; assert pa.array(pandas.Series(['x', None])).null_count == 1"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)
