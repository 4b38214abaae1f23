"""Runs in front of a user: what is shown, how they end, how they go on."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flows.conftest import Synthmill, process

SLOW = ("--set", "generator.settings.seconds=0.6", "--concurrency", "1")


def test_run_ends_with_the_funnel_and_where_to_go(synthmill: Synthmill, recipe: Path) -> None:
    result = synthmill("run", str(recipe), "--target", "4")
    assert result.exit_code == 0
    assert "target met: 4 emitted = 4 accepted + 0 rejected + 0 failed" in result.output
    assert "synthmill show letters" in result.output
    assert "synthmill export letters --to trl" in result.output


def test_changes_reach_the_recipe_of_the_run(
    synthmill: Synthmill, recipe: Path, home: Path
) -> None:
    changes = ("--seed", "7", "--set", "output.dataset=other", "--set", "budget.candidates=2")
    result = synthmill("run", str(recipe), *changes)
    assert "budget spent (2 candidates)" in result.output
    assert result.exit_code == 0
    report = json.loads(next(home.glob("runs/*/report.json")).read_text("utf-8"))
    assert (report["seed"], report["dataset"]) == (7, "other")


def test_resume_with_a_larger_budget(synthmill: Synthmill, recipe: Path) -> None:
    first = synthmill("run", str(recipe), "--set", "budget.candidates=2").output
    run = re.search(r"run (\S+),", first)
    assert run
    result = synthmill("resume", run[1], "--candidates", "5", "--target", "4")
    assert "target met: 4 emitted = 4 accepted" in result.output
    for bound in ("candidates", "target", "minutes"):
        assert f"'{bound}'" in synthmill("resume", run[1], f"--{bound}", "0").stderr
    assert synthmill("resume", run[1]).exit_code == 0, "a wrong bound is not kept"


def test_preview_commits_nothing(synthmill: Synthmill, recipe: Path, home: Path) -> None:
    result = synthmill("preview", str(recipe), "--rows", "2", "--seed", "3")
    assert result.exit_code == 0, result.output
    assert result.output.count("sft, accepted") == 2
    assert "made 2 accepted sft; nothing is committed" in result.output
    assert f"synthmill run {recipe} --set seed=3\n" in result.output
    assert not (home / "datasets").exists() and not (home / "runs").exists()


def test_a_preview_that_fails_says_so_by_its_exit_code(
    synthmill: Synthmill, recipe: Path, tmp_path: Path
) -> None:
    once = {"marker": str(tmp_path / "marker")}
    filters = [{"name": "tests.flows.letters:Once", "settings": once, "on_error": "fail"}]
    change = f"filters={json.dumps(filters)}"
    result = synthmill("preview", str(recipe), "--rows", "9", "--set", change)
    assert result.exit_code == 2
    assert "failed (once could not decide" in result.output


def test_a_preview_shows_why_rows_are_rejected(
    synthmill: Synthmill, recipe: Path, tmp_path: Path
) -> None:
    problems = [{"problem": f"say {sign}", "answer": sign} for sign in ("z", "y", "zz", "az", "x")]
    lines = [json.dumps(problem) for problem in problems]
    (tmp_path / "z.jsonl").write_text("\n".join(lines), encoding="utf-8")
    result = synthmill("preview", str(recipe), "--source", str(tmp_path / "z.jsonl"))
    assert result.exit_code == 0, result.output
    assert result.output.count("sft, accepted") == 2
    rejected = result.output.split("sft, rejected")
    assert len(rejected) == 4 and all("no_z" in row and "fail" in row for row in rejected[1:])


def test_a_preview_shows_each_kind(synthmill: Synthmill) -> None:
    result = synthmill("preview", "cotevol-demo", "--rows", "1")
    for kind in ("sft", "rlvr", "preference"):
        assert result.output.count(f"{kind}, accepted") == 1
    wanted = synthmill("preview", "cotevol-demo", "--set", "target={rlvr: 3, preference: 0}")
    assert "preference, accepted" not in wanted.output
    assert "2 accepted sft" in wanted.output and "2 accepted rlvr" in wanted.output


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("41", "FAIL target: 41 rows cannot be made: the source has 10 items, and an item gives"),
        ("{sft: 11, rlvr: 3}", "FAIL target: 11 sft cannot be made: .*: 10 sft, 10 rlvr in all"),
        ("{sft: 9, preference: 20}", "ok   target: 9 sft, 20 preference; the source has 10 items"),
        ("{preference: 0}", "ok   target: none: a run ends with the source or the budget"),
    ],
)
def test_a_target_that_the_source_cannot_meet(
    synthmill: Synthmill, recipe: Path, target: str, said: str
) -> None:
    """A CoTEvol problem gives one trace, one problem with its pass rate, and two pairs."""
    changes = ("generator={name: cotevol}", "filters=[]", f"target={target}")
    options = (option for change in changes for option in ("--set", change))
    result = synthmill("check", str(recipe), *options)
    assert re.search(said, result.output), result.output
    assert result.exit_code == (2 if said.startswith("FAIL") else 0)


def test_items_that_earlier_runs_used_count_no_more(synthmill: Synthmill) -> None:
    few = ("--set", "source.limit=2", "--target")
    assert synthmill("run", "cotevol-demo", *few, "4").exit_code == 0
    output = synthmill("check", "cotevol-demo", *few, "5").output
    assert re.search(r"FAIL target: 5 rows cannot .* 2 items, \d of them used by", output)


def test_a_check_tells_each_mistake_in_a_line(synthmill: Synthmill, recipe: Path) -> None:
    changes = ("--set", "filters=[fromat, {name: minhash, settings: {treshold: 1}}]")
    result = synthmill("check", str(recipe), *changes)
    assert result.exit_code == 2
    assert (
        len(re.findall(r"^FAIL recipe: .*did you mean '(?:format|threshold)'", result.output, re.M))
        == 2
    )


def test_check_names_what_is_to_be_mended(synthmill: Synthmill, recipe: Path) -> None:
    assert synthmill("check", str(recipe)).exit_code == 0
    result = synthmill("check", str(recipe), "--source", "/nowhere.jsonl")
    assert result.exit_code == 2
    assert re.search(r"^FAIL source: .*/nowhere.jsonl", result.output, re.M)
    assert re.search(r"^ok   disk: ", result.output, re.M)


def test_another_file_is_read_as_what_it_is(synthmill: Synthmill, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("problem,answer,id\n1 + 1?,2,a\n", encoding="utf-8")
    result = synthmill("check", "cotevol-demo", "--source", str(tmp_path / "own.csv"))
    assert "csv: readable; first problem: '1 + 1?'" in result.output
    kept = ("--set", "source.type=jsonl")
    result = synthmill("check", "cotevol-demo", "--source", str(tmp_path / "own.csv"), *kept)
    assert "FAIL source: jsonl: none of the first 2 rows" in result.output


def test_relative_paths_begin_here_or_at_the_recipe(
    synthmill: Synthmill, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ("run", str(recipe), "--source", "problems.jsonl", "--target")
    first = synthmill(*command, "2").output
    run = re.search(r"run (\S+),", first)
    assert run
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert synthmill("resume", run[1], "--target", "3").exit_code == 0
    assert "began behind" in synthmill(*command, "1").output  # the same recipe, from elsewhere
    (elsewhere / "problems.jsonl").write_text('{"problem": "say here"}\n', encoding="utf-8")
    assert "first problem: 'say here'" in synthmill("check", *command[1:4]).output
    for place in (elsewhere, tmp_path):
        (place / "problems.jsonl").unlink()
    for again in ((*command, "1"), ("resume", run[1], "--target", "9")):
        result = synthmill(*again)
        assert result.exit_code == 2
        assert f"(relative paths begin here: {elsewhere} and {tmp_path})" in result.stderr


def test_the_demo_finds_its_problems_from_anywhere(
    synthmill: Synthmill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "ok   source: jsonl: readable" in synthmill("check", "cotevol-demo").output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_resumable(
    environment: dict[str, str], recipe: Path, number: signal.Signals
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "synthmill.flows.cli", "run", str(recipe), *SLOW],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    for line in running.stdout:  # the first line of progress: the engine works
        if "in progress" in line:
            break
    time.sleep(1.5)
    running.send_signal(number)
    output, error = running.communicate(timeout=60)
    assert running.returncode == 3, error
    assert "interrupted" in output
    again = re.search(r"^resume with: synthmill resume (\S+)$", error, re.M)
    assert again
    done = process("resume", again[1], environment=environment)
    assert done.returncode == 0, done.stderr
    assert "source exhausted: 10 emitted = 7 accepted + 2 rejected + 1 failed" in done.stdout


def test_plain_lines_in_a_pipe(environment: dict[str, str], recipe: Path) -> None:
    done = process("run", str(recipe), *SLOW, environment=environment)
    assert "\x1b" not in done.stdout, "no control characters in a log"
    lines = [line for line in done.stdout.splitlines() if line.startswith("letters -> letters: ")]
    assert 2 <= len(lines) <= 4, "a line every five seconds"
    counts = r"(\d+) emitted = (\d+) accepted \+ (\d+) rejected \+ (\d+) failed; .* tasks done"
    for line in lines:
        found = re.search(counts, line)
        assert found
        emitted, *parts = map(int, found.groups())
        assert emitted == sum(parts)


def test_a_terminal_that_cannot_be_drawn_on_gets_lines(
    environment: dict[str, str], recipe: Path
) -> None:
    text = on_terminal(["run", str(recipe), "--target", "2"], environment, term="dumb")
    assert "letters -> letters: 0:00:00 0/2 accepted (0%)" in text


def test_live_display_on_a_terminal(environment: dict[str, str], recipe: Path) -> None:
    text = on_terminal(["run", str(recipe), *SLOW, "--target", "7"], environment)
    assert "letters -> letters" in text
    assert re.search(r"\d/7 accepted \(\d+%\)", text), "a bar with accepted and target"
    assert re.search(r"about 0:00:0\d left", text)
    assert "tasks done, 1 in progress" in text
    assert "target met: 8 emitted = 7 accepted + 0 rejected + 1 failed" in text or (
        "target met" in text
    )
    assert "\x1b[?25h" in text, "the cursor is shown again"


def on_terminal(arguments: list[str], environment: dict[str, str], term: str = "xterm") -> str:
    """What a process writes to a pseudo-terminal."""
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-m", "synthmill.flows.cli", *arguments],
        env={**environment, "TERM": term, "COLUMNS": "100", "LINES": "40"},
        stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    written = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([ours], [], [], 0.5)[0]:
            try:
                written += os.read(ours, 65536)
            except OSError:  # the other side is closed
                break
    os.close(ours)
    assert running.wait(timeout=10) == 0
    return written.decode("utf-8", "replace")
