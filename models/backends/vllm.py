"""vLLM servers that are started for a run and stopped with it."""

import os
import sys
from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from synthmill.models.backend import AFFECTS_OUTPUT, BackendSettings
from synthmill.models.backends._local_servers import Launch, LocalServers, LocalServerSettings
from synthmill.models.openai_api.settings import refuse_secrets

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


class VllmSettings(LocalServerSettings):
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
    replicas: int = Field(default=1, ge=1, description="servers of the model")
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


class Vllm(LocalServers):
    """Starts `replicas` vLLM servers of the model; calls are balanced over them."""

    name: ClassVar[str] = "vllm"
    Settings: ClassVar[type[BackendSettings]] = VllmSettings
    label: ClassVar[str] = "vLLM"

    def launches(self, key: str) -> Iterator[Launch]:
        """One server for each replica, with its share of the GPUs."""
        assert isinstance(self.settings, VllmSettings)
        for replica in range(self.settings.replicas):
            command = self.settings.command(self.spec.model)
            yield Launch(command, {**self.settings.variables(replica), "VLLM_API_KEY": key})
