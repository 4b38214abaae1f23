"""The folders at the root are the architecture: imports go one way, and starting is cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What each room may import of ours, itself excepted.
MAY_IMPORT = {
    "schemas": set(),
    "models": {"schemas"},
    "filters": {"schemas", "models"},
    "generators": {"schemas", "models", "filters"},
    "store": {"schemas"},
    "data_cards": {"schemas", "store"},
    "pipelines": {"schemas", "models", "filters", "generators", "store", "data_cards"},
    "flows": {"schemas", "models", "filters", "generators", "store", "data_cards", "pipelines"},
}
HEAVY = {
    "av",
    "datasets",
    "deltalake",
    "duckdb",
    "faiss",
    "jinja2",
    "math_verify",
    "numpy",
    "onnxruntime",
    "prefect",
    "pyarrow",
    "pydantic",
    "sympy",
    "tokenizers",
    "torch",
    "vllm",
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_above_it(room: str) -> None:
    others = set(MAY_IMPORT) | {"tests", "benchmarks", "examples"}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in imported(path) & (others - MAY_IMPORT[room] - {room})
    }
    assert not wrong


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from flows.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sys.modules)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    ).stdout
    loaded = {name.split(".")[0] for name in out.split("LOADED", 1)[1].split()}
    assert "sql" in out
    assert not loaded & HEAVY


def test_no_file_reads_what_is_outside_the_project() -> None:
    sources = [p for room in MAY_IMPORT for p in (ROOT / room).rglob("*") if p.suffix == ".py"]
    assert not [p for p in sources if "../shared" in p.read_text(encoding="utf-8")]
