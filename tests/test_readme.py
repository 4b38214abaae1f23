"""Every command of the README, run as a reader would in a fresh folder.

Three are run elsewhere: `make demo` and `make test` by `.ci/run`, and `synthmill schedule`, which
needs a server, by `tests/flows/test_prefect.py`. Runs that take minutes get a small target.
"""

import json
import re
import shlex
import signal
from pathlib import Path
from typing import Any

import pytest

import synthmill
from synthmill.flows.cli import MODULES
from synthmill.testing import ScriptedServer
from tests.generators.videossr.footage import scene_clip
from tests.made_documents import made_report
from tests.pages import ROOT, Shell, blocks, commands, inline

README = ROOT / "README.md"
BLOCKS = list(blocks(README))
COMMANDS = [line for block in BLOCKS if not block.language for line in commands(block.code)]
ADDRESS = "http://localhost:8000/v1"
# Commands without their bounds: what is added so that they end soon.
BOUNDED = {"synthmill run ragshaper": " --target 4", "synthmill run mine.yaml": " --target 8"}


def solve(body: dict[str, Any], seed: int) -> str:
    """A model that adds up, except in every third answer."""
    asked = re.search(r"What is (\d+) \+ (\d+)", body["messages"][0]["content"])
    if asked is None or "response_format" in body:
        return json.dumps({"color": "blue"})
    said = int(asked[1]) + int(asked[2]) + (seed % 3 == 0)
    return rf"Step 1: {asked[1]} + {asked[2]} = {said}" + "\n" + rf"The answer is \boxed{{{said}}}."


@pytest.fixture(scope="module")
def server() -> Any:
    with ScriptedServer(solve, model="Qwen/Qwen3-8B", latency=0.02) as running:
        yield running


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory, server: ScriptedServer) -> Shell:
    """A folder with what the README supposes: a dataset, a recipe, problems, a video, a PDF."""
    folder = tmp_path_factory.mktemp("readme")
    (yaml,) = (block.code for block in BLOCKS if block.language == "yaml")
    assert ADDRESS in yaml
    (folder / "mine.yaml").write_text(yaml.replace(ADDRESS, server.url), encoding="utf-8")
    problems = [
        {"question": f"What is {n} + {n + 5}?", "answer": str(2 * n + 5)} for n in range(300)
    ]
    lines = "".join(json.dumps(problem) + "\n" for problem in problems)
    (folder / "problems.jsonl").write_text(lines, encoding="utf-8")
    csv = "question,answer\n" + "".join(f"{p['question']},{p['answer']}\n" for p in problems)
    (folder / "problems.csv").write_text(csv, encoding="utf-8")
    (folder / "FOLDER_OF_VIDEOS").mkdir()
    scene_clip(folder / "FOLDER_OF_VIDEOS" / "a.mp4", seed=1)
    (folder / "FOLDER_OF_PDFS").mkdir()
    (folder / "FOLDER_OF_PDFS" / "a.pdf").write_bytes(made_report(seed=1).pdf)
    shell = Shell(folder)
    shell.run("synthmill run cotevol-demo --target 20")  # `make demo` makes all of it
    return shell


def test_every_command_works(shell: Shell) -> None:
    for command in COMMANDS:
        if not command.startswith(("make", "synthmill schedule", "duckdb")):
            said = shell.run(command + BOUNDED.get(command, ""))
            assert said.strip() and "defect" not in said


def test_the_command_line_of_duckdb_reads_the_catalog(shell: Shell) -> None:
    (command,) = (c for c in COMMANDS if c.startswith("duckdb"))
    said = shell.run(command, input='select count(*) as n from "cotevol-demo";\n')
    assert re.search(r"\b20\b", said), said


def test_an_interrupted_run_is_resumed(shell: Shell) -> None:
    assert "`synthmill resume` continues" in README.read_text("utf-8")
    run = shell.start("synthmill run mine.yaml --seed 5 --target 40 --concurrency 1")
    assert run.stdout is not None
    next(line for line in run.stdout if "in progress" in line)
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 3, said
    assert "target met" in shell.run("synthmill resume")


def test_a_project_from_the_readme(shell: Shell) -> None:
    assert "synthmill init my-project" in inline(README) and "--from problems.csv" in inline(README)
    shell.run("synthmill init my-project")
    said = shell.run("cd my-project && synthmill run recipe.yaml --target 3")
    assert "target met" in said
    said = shell.run("synthmill init my-own --from problems.csv")
    assert "300 of the 300 rows hold a problem" in said


def test_python_in_sentences(shell: Shell) -> None:
    calls = [code for code in inline(README) if re.match(r"synthmill\.\w+\(", code)]
    assert len(calls) == 2
    shell.run(f"python -c {shlex.quote('import synthmill; ' + '; '.join(calls))}")
    names = {code for code in inline(README) if re.fullmatch(r"synthmill\.\w+", code)}
    assert all(hasattr(synthmill, name.removeprefix("synthmill.")) for name in names)


def test_commands_named_in_sentences_exist() -> None:
    (listed,) = re.findall(
        r"`synthmill ls`,(.*?) do\s+the rest", README.read_text("utf-8"), re.DOTALL
    )
    names = [name.split()[0] for name in re.findall(r"`([^`]+)`", listed)]
    assert len(names) > 5 and set(names) <= set(MODULES)


def test_the_commands_that_run_elsewhere() -> None:
    elsewhere = [c for c in COMMANDS if c.startswith(("make", "synthmill schedule"))]
    assert elsewhere == [
        "make demo",
        "make test",
        'synthmill schedule mine.yaml --cron "0 3 * * *"',
    ]
    ci = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert {"make demo", "make test"} <= set(ci)
    assert "README" in (ROOT / "tests" / "flows" / "test_prefect.py").read_text("utf-8")


def test_it_is_short() -> None:
    assert len(README.read_text("utf-8").splitlines()) < 120


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README.read_text("utf-8")):
        assert target.startswith("http") or Path(ROOT / target).exists(), target
