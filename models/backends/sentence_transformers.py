"""Embeddings by a sentence-transformers model in this process; needs the extra `embeddings`."""

import asyncio
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import Field

from synthmill.models.backend import AFFECTS_OUTPUT, Backend, BackendSettings
from synthmill.models.completion import Completion, Embedding
from synthmill.models.errors import ConfigurationError
from synthmill.models.prompt import Prompt
from synthmill.models.request import Request
from synthmill.schemas.errors import InputError


class SentenceTransformersSettings(BackendSettings):
    """Settings of a local embedding model; the role's `model` is its name in rows and caches."""

    path: str | None = Field(
        default=None,
        description="folder or hub name of the model; default the model's name",
        json_schema_extra=AFFECTS_OUTPUT,
    )
    batch: int = Field(default=64, ge=1, description="texts encoded at once")
    device: str | None = Field(default=None, description="cpu, cuda ...; default the best there is")


class SentenceTransformers(Backend):
    """Embeds texts; it does not write any."""

    name: ClassVar[str] = "sentence_transformers"
    local: ClassVar[bool] = True
    Settings: ClassVar[type[BackendSettings]] = SentenceTransformersSettings

    async def open(self) -> None:
        """Load the model.

        Raises:
            InputError: the extra is not installed, or there is no such model.
        """
        self.texts_per_call = self.settings.batch
        self._model = await asyncio.to_thread(self._load)
        self._lock = asyncio.Lock()  # one batch at a time: the model uses all cores by itself

    async def complete(
        self, request: Request, prompt: Prompt[Any], *, priority: int = 0
    ) -> list[Completion]:
        """Not possible.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError(f"the back end {self.name} embeds texts and writes none")

    async def embed(self, texts: Sequence[str], *, priority: int = 0) -> list[Embedding]:
        """Encode in a thread."""
        async with self._lock:
            vectors, lengths = await asyncio.to_thread(self._encode, list(texts))
        return [Embedding(vector, n) for vector, n in zip(vectors, lengths, strict=True)]

    def _load(self) -> Any:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise InputError(
                "the back end sentence_transformers needs the extra 'embeddings': "
                "pip install 'synthmill[embeddings]'"
            ) from error
        path = self.settings.path or self.spec.model
        try:
            return SentenceTransformer(path, device=self.settings.device)
        except (OSError, ValueError) as error:
            raise InputError(f"the embedding model {path!r} cannot be loaded: {error}") from error

    def _encode(self, texts: list[str]) -> tuple[Any, list[int]]:
        vectors = self._model.encode(texts, batch_size=len(texts), show_progress_bar=False)
        return vectors, [len(ids) for ids in self._model.tokenizer(texts)["input_ids"]]
