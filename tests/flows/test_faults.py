"""What a user can mend is one clear line and exit code 2, with nothing half written."""

import json
import os
import secrets
import subprocess
from pathlib import Path

import pytest

from synthmill.pipelines.failure_log import redacted
from tests.flows.conftest import Synthmill, process


def one_line(synthmill: Synthmill, *arguments: str) -> str:
    result = synthmill(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.output
    return result.stderr


REST = "source: world\ngenerator: {name: ragshaper}\noutput: {dataset: x}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name: [", "recipe.yaml:1: not valid YAML"),
        ("- 1", "a recipe is a mapping of keys"),
        (f"name: x\nnamee: y\n{REST}", "recipe.yaml:2: unknown key 'namee' (did you mean 'name'?)"),
        (f"name: x\n{REST}".partition("output")[0], "'output' is missing"),
        ("name: x\nname: y", "key 'name' appears twice"),
        ("name: x\n? [a]\n: y", "recipe.yaml:2: not valid YAML: a key is a list or a mapping"),
        ("name: &a x\nseed: *a", "aliases are not allowed"),
        ("a: " + "[" * 5000, "not valid YAML: nested too deeply"),
        ("name: 2026-13-01", "not valid YAML: month must be in 1..12"),
        ("x" * 1_000_001, "at most 1,000,000 bytes"),
        ("name: \x01", "not valid YAML: special characters are not allowed"),
    ],
)
def test_bad_recipe_text(synthmill: Synthmill, tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    assert said in one_line(synthmill, "run", str(path))


def test_a_recipe_that_cannot_be_read(synthmill: Synthmill) -> None:
    # A file, but for root too one that cannot be read.
    assert "/proc/self/mem: cannot be read: " in one_line(synthmill, "run", "/proc/self/mem")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seed=9223372036854775808", "seed 9223372036854775808 is out of bounds"),
        ("target=0", "'target': a positive number of rows, or numbers by kind"),
        ("target=many", "numbers by kind such as {sft: 100} (given: 'many')"),
        ("target={rvlr: 3}", "there is no kind 'rvlr' (did you mean 'rlvr'?)"),
        ("target={sft: -1}", "the rows of kind sft are a number, 0 for none (given: -1)"),
        ("target={rlvr: 3}", "makes no rows of kind rlvr with these settings, only sft"),
        ("filters=[7]", "'filters.0' must be a mapping of keys to values (given: 7)"),
        ("nonsense", "is not KEY.PATH=VALUE"),
        ("name=[", "not valid YAML"),
        ("name=2026-13-01", "not valid YAML"),
        ("name.x=1", "'x' cannot be set inside 'letters'"),
        ("filters.7.name=x", "items 0 to 0"),
        ("source.type=jsnl", "there is no source 'jsnl' (did you mean 'jsonl'?)"),
        ("source.pth=x", "unknown key 'pth' (did you mean 'path'?)"),
        ("generator.name=cotevo", "there is no generator 'cotevo' (did you mean 'cotevol'?)"),
        ("generator.name=no.such:Thing", "cannot be loaded"),
        ("generator.settings.secs=1", "unknown key 'secs'"),
        ("filters.0.name=minhas", "did you mean 'minhash'?"),
        ("models.default.backend=opnai", "did you mean 'openai'?"),
        ("output.dataset=datasets", "cannot name a dataset"),
        ("output.dataset=tags", "cannot name a dataset"),
        ("output.splits.train=0.5", "add up to"),
        ("source.path=/nowhere.jsonl", "/nowhere.jsonl"),
        ("source.fields.problem=question", "question"),
    ],
)
def test_bad_change(synthmill: Synthmill, recipe: Path, home: Path, change: str, said: str) -> None:
    command = "check" if change.startswith(("source.fields", "output.dataset=")) else "run"
    result = synthmill(command, str(recipe), "--set", change)
    assert result.exit_code == 2, result.output
    assert said in (result.stderr or result.output)
    assert not list(home.glob("datasets/*/rows/_delta_log/*1.json")), "no version is written"


def test_unknown_names(synthmill: Synthmill, dataset: str) -> None:
    assert "no such recipe file" in one_line(synthmill, "run", "leters")
    assert "did you mean 'letters'?" in one_line(synthmill, "log", "leters")
    assert "did you mean 'letters'?" in one_line(synthmill, "why", "leters")
    assert "did you mean 'letters'?" in one_line(synthmill, "show", "leters")
    assert "there is no run 'nope'" in one_line(synthmill, "resume", "nope")
    assert "has no version 9" in one_line(synthmill, "diff", dataset, "9")
    assert "no filter 'minhas'" in one_line(synthmill, "filters", "minhas")
    assert "SQL: " in one_line(synthmill, "sql", "selec 1")
    assert "refused" in one_line(synthmill, "sql", "drop table runs")
    assert "would match every source" in one_line(synthmill, "delete-source", dataset, "*", "--yes")


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "letters", "--rows", "-1"),
        ("preview", "letters", "--rows", "0"),
        ("log", "letters", "-n", "-1"),
        ("why", "letters", "-n", "0"),
        ("sql", "from letters", "--limit", "-1"),
        ("tag", "letters", "--delete"),
    ],
)
def test_wrong_use_of_options(synthmill: Synthmill, arguments: tuple[str, ...]) -> None:
    result = synthmill(*arguments)
    assert result.exit_code == 2
    assert "in the range x>=1" in result.stderr or "needs the NAME" in result.stderr


def test_what_a_terminal_cannot_show_is_escaped(
    environment: dict[str, str], dataset: str, synthmill: Synthmill
) -> None:
    ascii_only = {**environment, "PYTHONIOENCODING": "ascii"}
    for form in ((), ("--csv",)):
        done = process("sql", "select 'größer 算' as x", *form, environment=ascii_only)
        assert (done.returncode, done.stderr) == (0, "")
        assert r"gr\xf6\xdfer \u7b97" in done.stdout


def test_no_data_folder_is_not_made_by_looking(synthmill: Synthmill, home: Path) -> None:
    for command in (
        ["ls"],
        ["sql", "select 1"],
        ["why", "x"],
        ["catalog", "rebuild"],
        ["maintain"],
    ):
        assert "there is no data folder" in one_line(synthmill, *command)
    assert not home.exists()


def test_a_file_where_the_home_should_be(synthmill: Synthmill, recipe: Path, home: Path) -> None:
    home.write_text("not a folder")
    assert "a file is where a folder should be" in one_line(synthmill, "run", str(recipe))
    assert home.read_text() == "not a folder"


def test_full_disk(environment: dict[str, str], recipe: Path, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    full = tmp_path / "full"
    full.mkdir()
    if subprocess.call(["mount", "-t", "tmpfs", "-o", "size=6m", "none", full]) != 0:
        pytest.skip("a small file system cannot be mounted here")
    # More than the disk holds, and nothing that compression could make small.
    lines = [json.dumps({"problem": secrets.token_hex(10**4), "answer": "1"}) for _ in range(800)]
    source = tmp_path / "large.jsonl"
    source.write_text("\n".join(lines), encoding="utf-8")
    try:
        done = process(
            "run", str(recipe), "--source", str(source), "--home", str(full),
            environment=environment,
        )  # fmt: skip
        entries = list(full.glob("datasets/letters/rows/_delta_log/*.json"))
    finally:
        subprocess.check_call(["umount", full])
    assert done.returncode == 2, done.stderr
    assert "are free" in done.stderr and "Traceback" not in done.stderr
    assert len(entries) <= 1, "no rows are committed"


def test_no_permission(environment: dict[str, str], recipe: Path) -> None:
    home = "/proc/synthmill"  # nobody may make a folder there, root included
    done = process("run", str(recipe), "--home", home, environment=environment)
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1 and home in done.stderr


def test_a_path_that_the_system_refuses_is_the_user_s_to_mend(
    synthmill: Synthmill, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/somewhere")

    assert "File name too long" in one_line(synthmill, "run", "a" * 5000)
    monkeypatch.setattr("synthmill.store.dataset.Dataset.history", refused)
    assert "/somewhere: Permission denied" in one_line(synthmill, "log", dataset)


def test_ctrl_c_in_a_query_is_no_defect(
    synthmill: Synthmill, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise RuntimeError("Query interrupted")

    monkeypatch.setattr("synthmill.store.query.query", interrupted)
    result = synthmill("sql", f"from {dataset}")
    assert result.exit_code == 1
    assert result.stderr.split() == ["Aborted!"]


def test_what_the_code_of_a_user_raises_names_its_line(
    synthmill: Synthmill, recipe: Path, tmp_path: Path
) -> None:
    code = """
from synthmill import Problem, Source, SourceRef

class Ends(Source):
    name, item = "ends", Problem
    def items(self):
        yield Problem(key="a", text="say a", answer="a", origin=SourceRef(uri="a"))
        raise KeyError("no more")
"""
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    line = one_line(synthmill, "run", str(recipe), "--set", "source=./own.py:Ends")
    assert f"{tmp_path / 'own.py'}, line 8: KeyError: 'no more' (traceback in" in line


def test_a_defect_is_told_with_its_log(
    synthmill: Synthmill, dataset: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("with hunter2-hunter2 in it")

    monkeypatch.setenv("MY_API_KEY", "hunter2-hunter2")
    monkeypatch.setattr("synthmill.store.dataset.Dataset.history", broken)
    result = synthmill("log", dataset)
    assert result.exit_code == 1
    assert "defect: ZeroDivisionError: with <MY_API_KEY> in it" in result.stderr
    log = Path(result.stderr.rpartition("traceback in ")[2].rstrip(")\n"))
    text = log.read_text("utf-8")
    assert "Traceback" in text and "hunter2" not in text


def test_redacted_leaves_short_values_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT_KEY", "a")
    assert redacted("banana") == "banana"


def test_a_project_needs_a_folder(synthmill: Synthmill, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("mine", encoding="utf-8")
    for place in (path, path / "inside"):
        assert "a file is where a folder should be" in one_line(synthmill, "init", str(place))
    assert path.read_text("utf-8") == "mine"
