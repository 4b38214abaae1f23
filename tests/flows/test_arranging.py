"""The commands that change whole datasets, on a small real one."""

import re
import shlex
from pathlib import Path

import pytest

from synthmill.schemas.arrow import ROW_SCHEMA
from tests.flows.conftest import ROOT, Synthmill

pytestmark = pytest.mark.usefixtures("dataset")


def count(synthmill: Synthmill, view: str) -> int:
    return int(synthmill("sql", f"select count(*) from {view}", "--csv").output.split()[1])


def test_refilter_and_diff_against_the_version_before(synthmill: Synthmill, tmp_path: Path) -> None:
    words = tmp_path / "words.py"
    words.write_text("def no_a(c):\n    return 'say a' not in c.messages[0].text, 'says a'\n")
    result = synthmill("refilter", "letters", "--with", f"{words}:no_a")
    assert result.exit_code == 0, result.output
    assert "7 rows judged" in result.output and "1 rejected now: says a" in result.output
    assert count(synthmill, "letters") == 6 and count(synthmill, "letters_rejected") == 3
    diff = synthmill("diff", "letters").output
    assert "version 1 to 2" in diff and "says a" in diff
    assert "says a" in synthmill("why", "letters").output
    assert "refilter no_a" in synthmill("log", "letters").output


def test_the_commands_of_the_documentation(
    synthmill: Synthmill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (ROOT / "docs" / "datasets-and-sql.md").read_text("utf-8")
    section = page.partition("## Changing datasets")[2].partition("\n## ")[0]
    commands = re.findall(r"^    synthmill (.+)$", section, re.MULTILINE)
    assert len(commands) == 8
    (tmp_path / "words.py").write_text(
        "def no_a(c):\n    return 'say a' not in c.messages[0].text\n"
    )
    monkeypatch.chdir(tmp_path)
    for command in commands:
        result = synthmill(*shlex.split(command))
        assert result.exit_code == 0, f"{command}: {result.output}"


def test_copy_merge_rename_and_drop(synthmill: Synthmill) -> None:
    assert synthmill("copy", "letters", "my-letters").exit_code == 0
    merged = synthmill("merge", "letters", "my-letters", "--into", "both", "--with", "minhash")
    assert merged.exit_code == 0, merged.output
    assert "both: 7 accepted, 2 rejected" in merged.output and "there already" in merged.output
    assert synthmill("rename", "both", "all-letters").exit_code == 0
    assert count(synthmill, '"all-letters"') == 7
    assert "sure" not in synthmill("drop", "all-letters", input="n\n").output
    assert count(synthmill, '"all-letters"') == 7
    assert synthmill("drop", "all-letters", input="y\n").exit_code == 0
    assert synthmill("drop", "letters", "--yes").exit_code == 0
    assert count(synthmill, "datasets") == 1


def test_runs_of_a_renamed_dataset_are_resumed_into_it(synthmill: Synthmill) -> None:
    assert synthmill("rename", "letters", "alphabet").exit_code == 0
    run = synthmill("sql", "select run_id from runs", "--csv").output.split()[1]
    assert synthmill("sql", "select dataset from runs", "--csv").output.split()[1] == "alphabet"
    synthmill("resume", run)
    assert "letters" not in synthmill("sql", "select name from datasets", "--csv").output


def test_sql_hints_at_quotes(synthmill: Synthmill) -> None:
    synthmill("copy", "letters", "my-letters")
    for query in ("from my-letters", "select count(*) from my-letters_rejected where true"):
        result = synthmill("sql", query)
        assert result.exit_code == 2 and 'did you mean "my-letters' in result.output
    assert "double quotes" not in synthmill("sql", "from lettres").output
    assert synthmill("sql", 'from "my-letters"').exit_code == 0


def test_schema_says_what_every_column_holds(synthmill: Synthmill) -> None:
    printed = synthmill("schema", "letters").output
    for name in ROW_SCHEMA.names:
        (line,) = [row for row in printed.splitlines() if row.split()[:1] == [name]]
        assert len(line.split()) > 3, line
