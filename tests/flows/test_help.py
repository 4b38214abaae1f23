"""Help is instant, complete and teaches."""

import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from synthmill.flows.cli import MODULES, main
from tests.flows.conftest import ROOT

HEAVY = (
    "deltalake", "duckdb", "numpy", "onnxruntime", "prefect", "pyarrow", "pydantic", "rich",
    "torch", "transformers", "vllm", "yaml",
)  # fmt: skip
FAMILIES = ("catalog", "recipe")  # groups: their examples stand with their commands


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["sql", "--help"]])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from synthmill.flows.cli import main\n"
        f"main({arguments!r}, standalone_mode=False)\n"
        f"sys.stderr.write(' '.join(m for m in {HEAVY!r} if m in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage:" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("name", MODULES)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0, result.output
    if name not in FAMILIES:
        assert f"synthmill {name}" in result.output


def test_first_lines_fit_into_the_list() -> None:
    listing = CliRunner().invoke(main, ["--help"], terminal_width=100).output
    commands = listing.partition("Run recipes:")[2]
    assert "..." not in commands
    assert [line.split()[0] for line in commands.splitlines() if line[:2] == "  "] == list(MODULES)


def test_misspelt_command_is_told_the_nearest() -> None:
    result = CliRunner().invoke(main, ["prevew"])
    assert result.exit_code == 2
    assert "no command 'prevew' (did you mean 'preview'?)" in result.stderr


def test_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output.startswith("synthmill ")


def test_docs_and_command_line_speak_of_the_same_commands() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    assert not [n for n in MODULES if f"`{n}`" not in page and f"`synthmill {n}" not in page]
    texts = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("pipelines/recipes/*.yaml")]
    for path in texts:
        named = re.findall(r"(?:^|`|\.venv/bin/)synthmill ([a-z-]+)", path.read_text("utf-8"), re.M)
        assert set(named) <= set(MODULES), path
