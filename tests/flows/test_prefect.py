"""Flows on a real Prefect server on loopback: tracked runs, retries, a schedule, deployments."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import ROOT, process
from tests.pages import Shell, blocks, commands

SERVER_SECONDS = 120
SCHEDULE_SECONDS = 200
FUNNEL = "| no_z | 8 | 7 | 1 | 0 | 0 | speaks of z (1) |"
PREFECT = str(Path(sys.executable).with_name("prefect"))


class Api:
    """A Prefect server, as far as the tests ask it."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.home = home

    def ask(self, path: str, **body: Any) -> Any:
        """The answer to a POST."""
        request = urllib.request.Request(
            f"{self.url}/{path}",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def runs(self, flow: str, state: str) -> list[dict[str, Any]]:
        """Flow runs in a state, oldest first."""
        found = self.ask(
            "flow_runs/filter",
            flows={"name": {"any_": [flow]}},
            flow_runs={"state": {"name": {"any_": [state]}}},
            sort="START_TIME_ASC",
        )
        return list(found)

    def artifacts(self, run: dict[str, Any]) -> dict[str, Any]:
        """What the artifacts of a flow run hold, by key."""
        found = self.ask("artifacts/filter", flow_runs={"id": {"any_": [run["id"]]}})
        return {artifact["key"]: artifact["data"] for artifact in found}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server of our own on a free port."""
    home = tmp_path_factory.mktemp("prefect")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        **os.environ,
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_UI_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until(lambda: healthy(url), SERVER_SECONDS)
        yield Api(url, home)
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture
def tracked(environment: dict[str, str], api: Api) -> dict[str, str]:
    """The environment of the command line with the server's API configured."""
    return {**environment, "PREFECT_API_URL": api.url, "PREFECT_HOME": str(api.home)}


def healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(done: Callable[[], Any], seconds: float) -> None:
    """Wait until `done`.

    Raises:
        AssertionError: it is not done in time.
    """
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"not done within {seconds:g} s"
        time.sleep(0.5)


def start(arguments: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(arguments, env=environment, cwd=ROOT, stdout=out, stderr=out)


def report(home: Path) -> dict[str, Any]:
    (path,) = home.glob("runs/*/report.json")
    return dict(json.loads(path.read_text("utf-8")))


def test_a_run_is_a_flow_run_with_artifacts(
    tracked: dict[str, str], api: Api, recipe: Path, home: Path
) -> None:
    done = process("run", str(recipe), environment=tracked)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "10 emitted = 7 accepted + 2 rejected + 1 failed" in done.stdout
    run = api.runs("generate", "Completed")[-1]
    artifacts = api.artifacts(run)
    assert FUNNEL in artifacts["letters-report"]
    assert report(home)["run_id"] in artifacts["letters-report"]
    assert artifacts["letters-progress"] == 100
    assert (home / "datasets" / "letters" / "rows").as_uri() in artifacts["letters-dataset"]
    run_id = report(home)["run_id"]
    assert run["name"] == run_id and run_id.startswith("letters-")
    assert {"synthmill", "recipe:letters", "dataset:letters"} <= set(run["tags"])
    assert "10 emitted = 7 accepted + 2 rejected + 1 failed" in run["state"]["message"]
    assert {"stage": "no_z", "reached": 8, "passed": 7}.items() <= json.loads(
        artifacts["letters-funnel"]
    )[0].items()
    assert (home / "runs" / run_id / "report.json").as_uri() in artifacts["letters-report-file"]
    batches = api.ask("task_runs/filter", flow_runs={"id": {"any_": [run["id"]]}})
    assert [batch["name"] for batch in batches] == ["version 1: 7 accepted, 2 rejected"]
    logs = api.ask("logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}})
    assert any("no_z: 8 reached, 7 passed, 1 failed" in log["message"] for log in logs)


def test_what_the_user_must_mend_is_one_line(tracked: dict[str, str], recipe: Path) -> None:
    for change, said in (
        ({}, "nowhere.jsonl"),
        ({"PREFECT_API_URL": "http://127.0.0.1:9/api"}, "http://127.0.0.1:9/api/ does not answer"),
    ):
        done = process(
            "run", str(recipe), "--source", "/nowhere.jsonl", environment={**tracked, **change}
        )
        assert done.returncode == 2
        assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_ctrl_c_cancels_the_flow_run_and_leaves_it_resumable(
    tracked: dict[str, str], api: Api, recipe: Path, home: Path, tmp_path: Path
) -> None:
    slow = ["--set", "generator.settings.seconds=0.5", "--concurrency", "1"]
    log = tmp_path / "log"
    arguments = [sys.executable, "-m", "synthmill.flows.cli", "run", str(recipe), *slow]
    running = start(arguments, tracked, log)
    until(lambda: "in progress" in log.read_text("utf-8"), 60)
    time.sleep(1)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=60) == 3, log.read_text("utf-8")
    again = re.search(r"synthmill resume (\S+)$", log.read_text("utf-8").strip())
    assert again and again[1] == report(home)["run_id"]
    assert len(api.runs("generate", "Cancelled")) == 1


RETRY = """
import sys
from synthmill.flows.generate import generate
import asyncio
flow = generate.with_options(retries=2, retry_delay_seconds=1)
asyncio.run(flow(recipe=sys.argv[1], home=sys.argv[2], changes=sys.argv[3:], fresh_seed=True))
"""


def test_a_retry_resumes_the_same_run(
    tracked: dict[str, str], api: Api, recipe: Path, home: Path, tmp_path: Path
) -> None:
    once = {
        "name": "tests.flows.letters:Once",
        "on_error": "fail",
        "settings": {"marker": str(tmp_path / "marker")},
    }
    changes = [f"filters={json.dumps([once])}", "engine.concurrency=1", "engine.batch_rows=1"]
    arguments = [sys.executable, "-c", RETRY, str(recipe), str(home), *changes]
    done = subprocess.run(arguments, env=tracked, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "once could not decide" in done.stderr
    run = api.runs("generate", "Completed")[-1]
    assert run["run_count"] == 2
    made = report(home)
    assert made["run_id"] == f"letters-{run['id']}"
    assert (made["emitted"], made["accepted"]) == (10, 8)
    rows = process("sql", "select task_key from letters_all", "--csv", environment=tracked)
    keys = rows.stdout.split()[1:]
    assert len(keys) == len(set(keys)) == 9, "each task's row once; the tenth failed"


def test_a_schedule_makes_new_versions_by_itself(
    tracked: dict[str, str], api: Api, recipe: Path, home: Path, tmp_path: Path
) -> None:
    before = len(api.runs("generate", "Completed"))
    log = tmp_path / "schedule.log"
    arguments = [
        sys.executable,
        "-m",
        "synthmill.flows.cli",
        "schedule",
        str(recipe),
        "--cron",
        "* * * * *",
        "--target",
        "3",
    ]
    serving = start(arguments, tracked, log)
    try:
        until(lambda: len(api.runs("generate", "Completed")) >= before + 2, SCHEDULE_SECONDS)
    finally:
        serving.terminate()
        serving.wait(timeout=60)
    reports = [json.loads(path.read_text("utf-8")) for path in home.glob("runs/*/report.json")]
    reports.sort(key=lambda made: str(made["started_at"]))
    first, second = reports[:2]
    assert first["seed"] == second["seed"] and second["continues"] == first["run_id"]
    assert first["accepted"] == second["accepted"] == 3, "behind the first run, new rows"
    for run in api.runs("generate", "Completed")[before : before + 2]:
        assert "3 accepted rows (3 sft)" in run["state"]["message"]
        assert "letters-funnel" in api.artifacts(run)
    (deployment,) = api.ask("deployments/filter", deployments={"name": {"any_": ["letters"]}})
    assert deployment["paused"], "a schedule rests while nobody serves it"


def test_the_schedule_of_the_readme_is_served(
    tracked: dict[str, str], api: Api, recipe: Path, tmp_path: Path
) -> None:
    (command,) = (
        line
        for block in blocks(ROOT / "README.md")
        for line in commands(block.code)
        if line.startswith("synthmill schedule mine.yaml")
    )
    shell = Shell(tmp_path / "reader", **{**tracked, "PYTHONPATH": str(ROOT)})
    text = recipe.read_text("utf-8").replace("name: letters", "name: my-problems")
    (shell.folder / "mine.yaml").write_text(text, encoding="utf-8")
    serving = shell.start(command)
    named = {"name": {"any_": ["my-problems"]}}
    try:
        until(lambda: api.ask("deployments/filter", deployments=named), 90)
    finally:
        serving.send_signal(signal.SIGINT)
        said, _ = serving.communicate(timeout=60)
    (deployment,) = api.ask("deployments/filter", deployments=named)
    (schedule,) = deployment["schedules"]
    assert schedule["schedule"]["cron"] == "0 3 * * *", said


def test_what_cannot_be_scheduled(environment: dict[str, str], api: Api, recipe: Path) -> None:
    tracked = {**environment, "PREFECT_API_URL": api.url}
    for change, arguments, said in (
        (environment, ["--cron", "* * * * *"], "no Prefect API is configured"),
        (tracked, ["--cron", "every day"], "--cron 'every day' in UTC"),
        (tracked, ["--cron", "* * * * *", "--timezone", "Moon"], "in Moon"),
        (tracked, ["--cron", "* * * * *", "--target", "0"], "'target'"),
        (
            {**tracked, "PREFECT_API_URL": "http://127.0.0.1:9/api"},
            ["--cron", "* * * * *"],
            "does not answer",
        ),
    ):
        done = process("schedule", str(recipe), *arguments, environment=change)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_deployments_of_prefect_yaml_work(
    tracked: dict[str, str], api: Api, recipe: Path, home: Path, tmp_path: Path
) -> None:
    def prefect(*arguments: str) -> None:
        done = subprocess.run(
            [PREFECT, "--no-prompt", *arguments],
            env=tracked, cwd=ROOT, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    shutil.rmtree(home, ignore_errors=True)
    prefect("work-pool", "create", "synthmill", "--type", "process")
    prefect("deploy", "--all")
    worker = start(
        [PREFECT, "worker", "start", "--pool", "synthmill"], tracked, tmp_path / "worker.log"
    )
    try:
        for deployment, parameters in (
            ("generate", {"recipe": str(recipe), "home": str(home)}),
            ("maintain", {"home": str(home), "keep_days": 30}),
            ("publish", {"dataset": "letters", "home": str(home), "out": str(tmp_path / "out")}),
        ):
            given = [f"--param={key}={json.dumps(value)}" for key, value in parameters.items()]
            prefect("deployment", "run", f"{deployment}/{deployment}", *given, "--watch")
    finally:
        worker.terminate()
        worker.wait(timeout=60)
    assert report(home)["accepted"] == 7
    (maintained,) = api.runs("maintain", "Completed")
    assert json.loads(api.artifacts(maintained)["maintenance"])[0]["dataset"] == "letters"
    (published,) = api.runs("publish", "Completed")
    assert "# letters" in api.artifacts(published)["letters-card"]
    assert list((tmp_path / "out").glob("letters-*-trl/sft/*.parquet"))
    assert list((tmp_path / "out").glob("letters-*.md"))
