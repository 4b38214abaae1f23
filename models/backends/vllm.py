"""vLLM servers that are started for a run and stopped with it."""

import asyncio
import logging
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from synthmill.models.backend import AFFECTS_OUTPUT, BackendSettings
from synthmill.models.backends.openai import OpenAI
from synthmill.models.openai_api.settings import WireSettings, refuse_secrets
from synthmill.models.server_process import ServerProcess
from synthmill.schemas.recipe import ModelSpec

WATCH_SECONDS = 0.5
log = logging.getLogger("synthmill.vllm")

PYTHON_VARIABLE = "SYNTHMILL_VLLM_PYTHON"
# A sampler's defaults in a checkpoint would change answers without the recipe saying so; free white
# space lets a weak model fill its budget with blanks where JSON is asked for.
ALWAYS = (
    "--disable-uvicorn-access-log",
    "--generation-config", "vllm",
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
)  # fmt: skip
# Compiling is for GPUs, memory is shared with everybody else, and the CPU engine of 0.32 dies of a
# request with a seed whose prompt is cut by chunked prefill.
CPU = ("--enforce-eager", "--gpu-memory-utilization", "0.2", "--no-enable-chunked-prefill")
CPU_BATCHED_TOKENS = 4096
CPU_ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "TORCH_COMPILE_DISABLE": "1"}
QUIET = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}


class VllmSettings(WireSettings):
    """How vLLM servers are started. The model's name in the recipe is the name that rows carry."""

    path: str | None = Field(
        default=None,
        json_schema_extra=AFFECTS_OUTPUT,
        description="folder or hub name of the checkpoint; default the model's name",
    )
    python: str | None = Field(
        default=None,
        description=f"interpreter with vllm; default ${PYTHON_VARIABLE}, else the running one",
    )
    device: Literal["gpu", "cpu"] = Field(default="gpu", json_schema_extra=AFFECTS_OUTPUT)
    replicas: int = Field(default=1, ge=1)
    gpus: int = Field(default=1, ge=1, description="GPUs of one replica (tensor parallel)")
    dtype: str = Field(default="auto", json_schema_extra=AFFECTS_OUTPUT)
    max_model_len: int | None = Field(
        default=None, ge=1, description="tokens of context", json_schema_extra=AFFECTS_OUTPUT
    )
    arguments: tuple[str, ...] = Field(
        default=(),
        json_schema_extra=AFFECTS_OUTPUT,
        description="more arguments of vLLM's server; they win over ours",
    )
    environment: dict[str, str] = Field(default={}, description="more environment variables")
    startup_seconds: float = Field(default=900.0, gt=0, description="longest wait for health")

    @field_validator("environment")
    @classmethod
    def _not_secret(cls, value: dict[str, str]) -> dict[str, str]:
        return refuse_secrets(value, "set it in the environment of synthmill itself")

    @property
    def interpreter(self) -> str:
        """The Python that runs vLLM."""
        return self.python or os.environ.get(PYTHON_VARIABLE) or sys.executable

    def command(self, model: str) -> list[str]:
        """The command that serves `model`, but for its address."""
        command = [self.interpreter, "-m", "vllm.entrypoints.openai.api_server"]
        command += ["--model", self.path or model, "--served-model-name", model]
        command += ["--dtype", self.dtype, *ALWAYS]
        if self.max_model_len is not None:
            command += ["--max-model-len", str(self.max_model_len)]
        if self.device == "cpu":
            batched = max(CPU_BATCHED_TOKENS, self.max_model_len or 0)
            command += [*CPU, "--max-num-batched-tokens", str(batched)]
        elif self.gpus > 1:
            command += ["--tensor-parallel-size", str(self.gpus)]
        return [*command, *self.arguments]

    def variables(self, replica: int) -> dict[str, str]:
        """The environment of a replica: ours, and its own share of the GPUs."""
        variables = {**os.environ, **QUIET}
        if self.device == "cpu":
            variables |= CPU_ENVIRONMENT
        elif self.replicas > 1:
            first = replica * self.gpus
            visible = os.environ.get("CUDA_VISIBLE_DEVICES")
            last = self.replicas * self.gpus
            devices = visible.split(",") if visible else [str(i) for i in range(last)]
            variables["CUDA_VISIBLE_DEVICES"] = ",".join(devices[first : first + self.gpus])
        return variables | self.environment


class Vllm(OpenAI):
    """Starts `replicas` servers of the model, and balances calls over them.

    A replica that dies is not started again: the others go on, and when the last one is dead the
    run stops, resumable, with the end of the server's log.
    """

    name: ClassVar[str] = "vllm"
    local: ClassVar[bool] = True
    Settings: ClassVar[type[BackendSettings]] = VllmSettings

    def __init__(
        self, spec: ModelSpec, settings: VllmSettings, *, give_up_after_seconds: float = 300.0
    ) -> None:
        super().__init__(spec, settings, give_up_after_seconds=give_up_after_seconds)
        self._vllm = settings
        self._servers: list[ServerProcess] = []
        self._watch: asyncio.Task[None] | None = None
        self._logs = tempfile.TemporaryDirectory(prefix="synthmill-vllm-")

    async def open(self) -> None:
        """Start the servers and wait until all of them answer.

        Raises:
            ServerUnavailable: a server died or was too slow; with the end of its log.
        """
        # Others on this machine can reach the port as well: only we know the key.
        key = secrets.token_hex(16)
        for replica in range(self._vllm.replicas):
            name = f"vLLM server {replica + 1} of {self._vllm.replicas} ({self.spec.model})"
            variables = {**self._vllm.variables(replica), "VLLM_API_KEY": key}
            log_file = Path(self._logs.name) / f"{replica + 1}.log"
            server = ServerProcess(name, self._vllm.command(self.spec.model), variables, log_file)
            self._start(server)
        await asyncio.gather(*(s.healthy(self._vllm.startup_seconds) for s in self._servers))
        urls = [f"{server.address}/v1" for server in self._servers]
        self.connect(urls, {"Authorization": f"Bearer {key}"}, key)
        self._watch = asyncio.create_task(self._watch_servers())

    async def close(self) -> None:
        """End the servers."""
        if self._watch is not None:
            self._watch.cancel()
        await super().close()
        await asyncio.gather(*(server.stop() for server in self._servers))
        self._logs.cleanup()

    def _start(self, server: ServerProcess) -> None:
        log.info("starting %s on port %d", server.name, server.port)
        server.start()
        self._servers.append(server)

    async def _watch_servers(self) -> None:
        """Mark endpoints dead whose servers died, so that no call waits for them."""
        alive = dict(zip(self._pool.endpoints, self._servers, strict=True))
        while alive:
            await asyncio.sleep(WATCH_SECONDS)
            for endpoint, server in list(alive.items()):
                if not server.alive:
                    del alive[endpoint]
                    report = f"{server.name} died\n{server.tail()}"
                    log.error("%s", report)
                    self._pool.mark_dead(endpoint, report)
