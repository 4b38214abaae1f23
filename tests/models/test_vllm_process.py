"""How the `vllm` back end handles its processes; no vLLM is needed for that."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from synthmill.models.backends.vllm import VllmSettings
from synthmill.models.errors import ServerUnavailable
from synthmill.models.registry import ModelRegistry
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import ModelSpec

ROOT = Path(__file__).parents[2]
SLEEPER = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
# Starts a server whose child would live for minutes, says its process, and waits to be killed.
STARTER = """
import os, sys, time
from pathlib import Path
from synthmill.models.server_process import ServerProcess
shell = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(300)'])"
server = ServerProcess("sleeper", [sys.executable, "-c", shell], dict(os.environ), Path(sys.argv[1]))
server.start()
time.sleep(1)
print(server._process.pid, flush=True)
time.sleep(300)
"""  # noqa: E501


def vllm(**settings: object) -> ModelSpec:
    return ModelSpec(backend="vllm", model="m", settings=settings)


async def test_a_server_that_cannot_start_shows_its_log() -> None:
    spec = vllm(python=sys.executable, startup_seconds=30)
    with pytest.raises(
        ServerUnavailable, match=r"(?s)ended while it started\n.*No module named 'vllm"
    ):
        async with ModelRegistry({"default": spec}, cache=None):
            pass
    with pytest.raises(ServerUnavailable, match=r"(?s)ended while it started\n.*No such file"):
        async with ModelRegistry({"default": vllm(python="/nowhere/python")}, cache=None):
            pass


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_servers_do_not_outlive_their_starter(tmp_path: Path, end: signal.Signals) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path / "log")], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert starter.stdout is not None
    guard = psutil.Process(int(starter.stdout.readline()))
    family = [guard, *guard.children(recursive=True)]
    assert len(family) == 3
    starter.send_signal(end)
    starter.communicate()
    _, alive = psutil.wait_procs(family, timeout=8)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_replicas_share_the_gpus_out(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = VllmSettings(replicas=2, gpus=2, max_model_len=4096, arguments=("--seed", "1"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert [settings.variables(i)["CUDA_VISIBLE_DEVICES"] for i in (0, 1)] == ["0,1", "2,3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    assert settings.variables(1)["CUDA_VISIBLE_DEVICES"] == "6,7"
    command = settings.command("m")
    assert command[command.index("--tensor-parallel-size") + 1] == "2"
    assert command[-2:] == ["--seed", "1"]
    assert "--enforce-eager" in VllmSettings(device="cpu").command("m")


def test_secrets_stay_out_of_recipes() -> None:
    with pytest.raises(InputError, match="HF_TOKEN looks secret: set it in the environment"):
        ModelRegistry({"default": vllm(environment={"HF_TOKEN": "x"})}, cache=None)


def test_the_guard_ends_what_will_not_end(tmp_path: Path) -> None:
    guard = subprocess.Popen(
        [sys.executable, "-m", "synthmill.models.process_guard", sys.executable, "-c", SLEEPER],
        cwd=ROOT, stdin=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    time.sleep(0.5)
    family = [psutil.Process(guard.pid), *psutil.Process(guard.pid).children()]
    guard.communicate()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert not alive
