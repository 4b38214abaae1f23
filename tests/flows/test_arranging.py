"""The commands that change whole datasets, on a small real one."""

import os
import re
import shlex
import signal
import subprocess
import sys
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


KILLED_RENAME = """
import os, signal, sys
from synthmill.flows import dataset_api
from synthmill.pipelines import renaming
from synthmill.store import arranging

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] == "before":
    arranging.rename_dataset = die
else:
    renaming.save_recipe = die
dataset_api.rename_dataset("letters", "alphabet", home=sys.argv[1])
"""


@pytest.mark.parametrize(("moment", "name"), [("before", "letters"), ("after", "alphabet")])
def test_a_killed_rename_has_not_begun_or_is_completed(
    synthmill: Synthmill, home: Path, moment: str, name: str
) -> None:
    run = synthmill("sql", "select run_id from runs", "--csv").output.split()[1]
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED_RENAME, str(home), moment],
        env={**os.environ, "PYTHONPATH": root},
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    assert "is finished" in synthmill("resume", run).output
    assert synthmill("resume", run, "--target", "99").exit_code == 0
    query = "select distinct dataset from runs union select name from datasets"
    assert synthmill("sql", query, "--csv").output.split()[1:] == [name]
    other = "more-letters"
    assert synthmill("rename", name, other).exit_code == 0
    assert synthmill("sql", query, "--csv").output.split()[1:] == [other]


KILLED_REFILTER = """
import os, signal, sys
from synthmill.flows import dataset_api
dataset_api.refilter("letters", ["length"], home=sys.argv[1],
                     on_progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_a_killed_refilter_starts_over_and_says_so(synthmill: Synthmill, home: Path) -> None:
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED_REFILTER, str(home)],
        env={**os.environ, "PYTHONPATH": root},
        timeout=120,
    )
    assert done.returncode == -signal.SIGKILL
    (left,) = home.glob(".refilter-letters.*")
    os.utime(left, (0, 0))  # folders are not looked at in their first seconds
    said = synthmill("refilter", "letters", "--with", "length").output
    assert "was killed before its version was committed: started over" in said
    assert "version 2" in said and not list(home.glob(".refilter-letters.*"))
    assert "started over" not in synthmill("refilter", "letters", "--with", "length").output


def test_a_run_without_rows_leaves_no_dataset_to_be_seen(
    synthmill: Synthmill, recipe: Path
) -> None:
    change = ("--set", "output.dataset=nothing", "--set", "filters=[]")
    source = recipe.parent / "fails.jsonl"
    source.write_text('{"problem": "fail", "answer": "1"}\n')
    assert synthmill("run", str(recipe), *change, "--source", str(source)).exit_code != 0
    listed = synthmill("ls").output
    assert "nothing has no rows yet: `synthmill ls --runs` says why" in listed
    assert not re.search(r"^nothing +\d", listed, re.M)
    assert "nothing has no rows yet" in synthmill("show", "nothing").output
    assert synthmill("export", "nothing", "--to", "trl", "-o", str(recipe.parent / "x")).exit_code
