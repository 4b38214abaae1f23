"""Runs are listed from their start, and go on: killed, failed and finished ones."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.flows.conftest import Synthmill, process

SLOW = ("--set", "generator.settings.seconds=0.5", "--concurrency", "1")


def states(synthmill: Synthmill) -> dict[str, str]:
    """The state of each run, as `sql` has it."""
    lines = synthmill("sql", "select run_id, state from runs", "--csv").output.splitlines()
    return dict(line.split(",", 1) for line in lines[1:])


def test_a_killed_run_is_listed_and_resumed_without_its_id(
    synthmill: Synthmill, recipe: Path, environment: dict[str, str]
) -> None:
    running = subprocess.Popen(
        [sys.executable, "-m", "synthmill.flows.cli", "run", str(recipe), *SLOW],
        env={**environment, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    first = running.stdout.readline()
    found = re.fullmatch(r"run (letters-\S+)\n", first)
    assert found, "the run id is printed first"
    for line in running.stdout:
        if "in progress" in line:
            break
    assert states(synthmill) == {found[1]: "running"}
    again = synthmill("resume", found[1])
    assert again.exit_code == 2 and "another process works on it" in again.stderr
    time.sleep(1)
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    assert states(synthmill) == {found[1]: "killed"}
    listed = synthmill("ls", "--runs").output
    assert "killed" in listed and "duration" in listed and "dollars" in listed
    done = process("resume", environment=environment)
    assert done.returncode == 0, done.stderr
    assert f"the newest unfinished run is {found[1]} (killed)" in done.stdout
    assert "10 emitted = 7 accepted + 2 rejected + 1 failed" in done.stdout
    assert states(synthmill) == {found[1]: "finished"}
    nothing = synthmill("resume")
    assert nothing.exit_code == 2
    assert f"the newest, {found[1]}, is finished" in nothing.stderr


def test_a_finished_run_says_so(synthmill: Synthmill, recipe: Path) -> None:
    run = re.search(r"run (\S+)\n", synthmill("run", str(recipe), "--target", "2").output)
    assert run
    again = synthmill("resume", run[1])
    assert again.exit_code == 0
    assert f"run {run[1]} is finished: target met" in again.output
    assert "2 accepted" in synthmill("resume", run[1], "--candidates", "5").output


def test_a_run_whose_tasks_all_fail_is_a_failure_with_tracebacks(
    synthmill: Synthmill, recipe: Path, home: Path
) -> None:
    change = "source.where={answer: x}"
    result = synthmill("run", str(recipe), "--set", change, "--set", "filters=[]")
    assert result.exit_code == 3
    assert re.search(
        r"failed \(1 of 2 tasks failed.*no idea \(flows/letters.py:\d+\)", result.output
    )
    (log,) = home.glob("runs/*/log.txt")
    assert f"tracebacks of failed tasks: {log}" in result.output
    assert "Traceback (most recent call last)" in log.read_text("utf-8")
    assert list(states(synthmill).values()) == ["failed"]


def test_a_run_that_cannot_begin_is_listed_with_its_reason(
    synthmill: Synthmill, recipe: Path
) -> None:
    server = {"base_url": "http://127.0.0.1:9/v1", "api_key_env": "NO_SUCH_KEY"}
    role = {"backend": "openai", "model": "m", "settings": server}
    models = f"models={json.dumps({'default': role})}"
    result = synthmill("run", str(recipe), "--set", models)
    assert result.exit_code == 2
    assert list(states(synthmill).values()) == ["failed"]
    assert "NO_SUCH_KEY" in synthmill("sql", "select stop_detail from runs", "--csv").output
