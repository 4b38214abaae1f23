"""llama.cpp's own server on a GGUF file, started for a run and stopped with it."""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from synthmill.models import llama_cpp_server
from synthmill.models.backend import AFFECTS_OUTPUT, BackendSettings
from synthmill.models.backends._local_servers import Launch, LocalServers, LocalServerSettings
from synthmill.models.openai_api.presets import PRESETS
from synthmill.schemas.errors import InputError


class LlamaCppSettings(LocalServerSettings):
    """How the llama.cpp server is started. The model's name is the name that rows carry."""

    path: Path = Field(description="GGUF file of the model", json_schema_extra=AFFECTS_OUTPUT)
    server: str | None = Field(
        default=None,
        description="a llama-server program; default the one in the package xllamacpp",
    )
    context: int = Field(
        default=4096, ge=128, description="tokens of prompt and answer of one request"
    )
    slots: int = Field(default=4, ge=1, description="requests that are answered at once")
    threads: int | None = Field(
        default=None,
        ge=1,
        description="CPU threads; default llama.cpp's choice. More than there are idle cores is "
        "much slower than one",
    )
    gpu_layers: int = Field(default=0, ge=0, description="layers of the model to put on the GPU")
    arguments: tuple[str, ...] = Field(
        default=(),
        json_schema_extra=AFFECTS_OUTPUT,
        description="more arguments, for a program given as `server`",
    )

    @model_validator(mode="before")
    @classmethod
    def _know_the_server(cls, values: Any) -> Any:
        return {**PRESETS["llama_cpp"].settings, **values} if isinstance(values, dict) else values

    def command(self, model: str) -> list[str]:
        """The command that serves the file under the name `model`, without its address."""
        command = (
            [self.server] if self.server else [sys.executable, "-P", llama_cpp_server.__file__]
        )
        command += ["--model", str(self.path), "--alias", model]
        # llama.cpp shares its context among the slots.
        command += ["--ctx-size", str(self.context * self.slots), "--parallel", str(self.slots)]
        command += ["--n-gpu-layers", str(self.gpu_layers)]
        if self.threads is not None:
            command += ["--threads", str(self.threads)]
        return [*command, *self.arguments]


class LlamaCpp(LocalServers):
    """Starts one llama.cpp server of a GGUF file."""

    name: ClassVar[str] = "llama_cpp"
    Settings: ClassVar[type[BackendSettings]] = LlamaCppSettings
    label: ClassVar[str] = "llama.cpp"

    def launches(self, key: str) -> Iterator[Launch]:
        """The one server.

        Raises:
            InputError: the file or the package is missing.
        """
        assert isinstance(self.settings, LlamaCppSettings)
        if not self.settings.path.is_file():
            raise InputError(f"llama_cpp: path: {self.settings.path}: no such file")
        if self.settings.server is None and find_spec("xllamacpp") is None:
            raise InputError(
                "llama_cpp needs llama.cpp's server: pip install 'synthmill[llama-cpp]', "
                "or name a llama-server program in `server`"
            )
        yield Launch(self.settings.command(self.spec.model), {**os.environ, "LLAMA_API_KEY": key})
