"""The folders at the root are the architecture: imports go one way, and starting is cheap."""

import ast
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# What each room may import of ours, itself excepted.
MAY_IMPORT = {
    "schemas": set(),
    "runtime": {"schemas"},
    "rewards": set(),
    "models": {"schemas", "runtime"},
    "sources": {"schemas", "runtime", "models"},
    "filters": {"schemas", "runtime", "rewards", "models", "sources"},
    "generators": {"schemas", "runtime", "rewards", "models", "sources", "filters"},
    "store": {"schemas", "runtime"},
    "data_cards": {"schemas", "store"},
}
MAY_IMPORT["pipelines"] = set(MAY_IMPORT)
MAY_IMPORT["flows"] = set(MAY_IMPORT)
OUTSIDE = {"tests", "benchmarks", "examples", "scripts"}
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


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path): path for room in MAY_IMPORT for path in sorted((ROOT / room).rglob("*.py"))
}


def imported(path: Path) -> Iterator[str]:
    """What a file imports; our own modules without the leading `synthmill`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            full = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [n if n.removeprefix("synthmill.") in MODULES else node.module for n in full]
        else:
            continue
        yield from (name.removeprefix("synthmill.") for name in names)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_the_rooms_above_it(room: str) -> None:
    others = (set(MAY_IMPORT) | OUTSIDE) - MAY_IMPORT[room] - {room}
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / room).rglob("*.py"))
        for name in imported(path)
        if name.split(".")[0] in others
    }
    assert not wrong


def test_no_room_is_imported_by_its_bare_name() -> None:
    wrong = set()
    for folder in [*MAY_IMPORT, *OUTSIDE, "synthmill"]:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += (
                    [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                )
                if any(name.split(".")[0] in MAY_IMPORT for name in names):
                    wrong.add(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not wrong


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph = {
        name: {used for used in imported(path) if used in MODULES and used != name}
        for name, path in MODULES.items()
    }
    assert_no_circle(graph)


def test_folders_do_not_import_each_other_in_circles() -> None:
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for path in MODULES.values():
        folder = ".".join(path.relative_to(ROOT).parent.parts)
        for used in imported(path):
            if used in MODULES:
                graph[folder].add(".".join(MODULES[used].relative_to(ROOT).parent.parts))
    assert_no_circle({folder: used - {folder} for folder, used in graph.items()})


def assert_no_circle(graph: dict[str, set[str]]) -> None:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_public_class_names_are_unique() -> None:
    places: defaultdict[str, list[str]] = defaultdict(list)
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(name)
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from synthmill.flows.cli import main\n"
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
    assert not [
        name for name, path in MODULES.items() if "../shared" in path.read_text(encoding="utf-8")
    ]
