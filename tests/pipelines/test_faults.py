"""A hostile or dead model server, a full disk, a wrong key: nothing is lost, and it is said."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from synthmill.pipelines.run import resume, start
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.store.home import Home
from synthmill.testing import Faults, ScriptedServer
from tests.pipelines.conftest import ROOT, recipe, rows


def asking(
    server: ScriptedServer, settings: dict[str, Any] | None = None, **changes: Any
) -> Recipe:
    spec = {
        "backend": "openai",
        "model": "scripted",
        "settings": {"base_url": server.url, **(settings or {})},
    }
    return recipe("Asks", source={"count": 100}, models={"default": spec}, **changes)


async def test_the_target_is_met_while_half_of_all_calls_fail(home: Home) -> None:
    with ScriptedServer(faults=Faults(0.5)) as server:
        impatient = {"total_seconds": 1.0, "longest_backoff_seconds": 0.1}
        report = await start(asking(server, impatient, target=100), home)
        assert (report.stop, report.accepted, report.failed) == ("target met", 100, 0)
        counted = report.usage["question"].failures
        assert sum(counted.values()) > 0.3 * sum(server.asked.values())
        assert max(server.answered.values()) == 1


async def test_same_rows_at_any_concurrency_and_from_the_cache_alone(tmp_path: Path) -> None:
    homes = [Home(tmp_path / name) for name in ("one", "many")]
    with ScriptedServer(latency=0.002) as server:
        wanted = asking(server, target=60)
        for home, concurrency in zip(homes, (1, 64), strict=True):
            engine = wanted.engine.model_copy(update={"concurrency": concurrency})
            await start(wanted.model_copy(update={"engine": engine}), home)
        server.stop()
        aside = wanted.output.model_copy(update={"dataset": "replayed"})
        report = await start(wanted.model_copy(update={"output": aside}), homes[0])
        server.start()
    assert rows(homes[0]) == rows(homes[1])
    assert rows(homes[0], dataset="replayed") == rows(homes[0])
    assert report.usage["question"].bought.calls == 0


async def test_a_dead_server_ends_the_run_resumable(home: Home) -> None:
    said: list[str] = []
    with ScriptedServer(latency=0.02) as server:
        wanted = asking(server, engine={"concurrency": 4, "give_up_after_minutes": 0.02})

        def watch(progress: Any) -> None:
            if progress.status:
                said.append(progress.status)
            elif progress.accepted >= 20:
                server.stop()

        report = await start(wanted, home, on_progress=watch)
        assert report.stop == "failed" and report.resumable
        assert "127.0.0.1" in (report.stop_detail or "")
        assert 20 <= report.accepted < 200
        assert any("paused" in line for line in said)
        server.start()
        report = await resume(report.run_id, home)
        assert (report.stop, report.accepted) == ("source exhausted", 200)


async def test_a_wrong_key_is_one_line_that_names_the_variable(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FACTORY_KEY", "sk-wrong")
    with ScriptedServer(key="sk-right") as server, pytest.raises(InputError) as error:
        await start(asking(server, {"api_key_env": "FACTORY_KEY"}), home)
    line = str(error.value)
    assert "FACTORY_KEY" in line and "sk-wrong" not in line and "\n" not in line


async def test_an_interrupt_commits_what_is_settled(tmp_path: Path) -> None:
    calm, cut = Home(tmp_path / "calm"), Home(tmp_path / "cut")
    with ScriptedServer(latency=0.03) as server:
        wanted = asking(server, engine={"concurrency": 4})
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.pipelines.runner",
                str(cut.path),
                "cut",
                wanted.model_dump_json(),
            ],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        while len(server.bodies) < 30:
            await asyncio.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, _ = await asyncio.to_thread(process.communicate)
        assert out.strip() == "interrupted"
        assert 0 < len(rows(cut)) < 200
        await resume("cut", cut)
        await start(wanted, calm)
    assert rows(cut) == rows(calm)


@pytest.fixture
def small_disk(tmp_path: Path) -> Any:
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small file system")
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True
    )
    if mount.returncode:
        pytest.skip(f"cannot mount a small file system: {mount.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    small_disk: Path, tmp_path: Path
) -> None:
    full = Home(small_disk / "factory")
    wanted = recipe(source={"count": 10000}, engine={"batch_rows": 2000})
    with pytest.raises(InputError, match=r"disk is full|are free"):
        await start(wanted, full, run_id="full")
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    report = await resume("full", full)
    assert (report.stop, report.accepted) == ("source exhausted", 20000)
    assert len({row.id for row in rows(full)}) == 20000


async def test_a_source_that_is_not_there_leaves_nothing_behind(home: Home) -> None:
    wanted = recipe(
        generator={"name": "cotevol"}, source={"type": "jsonl", "path": "nowhere.jsonl"}
    )
    with pytest.raises(InputError, match=r"nowhere\.jsonl"):
        await start(wanted, home)
    assert not home.path.exists()
