"""Encoders: texts to unit vectors, by an endpoint or by a local model."""

import asyncio
import os
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol

import aiohttp
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from synthmill.schemas.base import Settings
from synthmill.schemas.errors import InputError

Vectors = NDArray[np.float32]
Side = Literal["query", "passage"]

ATTEMPTS = 5
FIRST_WAIT = 0.5  # seconds; doubled at each further attempt


class EndpointSettings(Settings):
    """Any OpenAI-compatible `/v1/embeddings` endpoint."""

    kind: Literal["endpoint"] = "endpoint"
    base_url: str = Field(description="address up to and with /v1")
    model: str
    api_key_env: str | None = Field(default=None, description="environment variable of the key")
    batch: int = Field(default=64, ge=1, description="texts in a request")
    timeout: float = Field(default=120.0, gt=0, description="seconds for one request")
    query_prefix: str | None = Field(default=None, description="null follows the model's name")
    passage_prefix: str | None = Field(default=None, description="null follows the model's name")


class LocalSettings(Settings):
    """A sentence-transformers model on this machine; needs the extra `embeddings`."""

    kind: Literal["sentence_transformers"]
    model: str = Field(description="folder or hub name")
    batch: int = Field(default=64, ge=1, description="texts encoded at once")
    query_prefix: str | None = Field(default=None, description="null follows the model's name")
    passage_prefix: str | None = Field(default=None, description="null follows the model's name")


EncoderSettings = Annotated[EndpointSettings | LocalSettings, Field(discriminator="kind")]


class Encoder(Protocol):
    """Texts to vectors of length 1, one a row."""

    @property
    def label(self) -> str:
        """Model and prefixes: vectors of one label can be compared."""

    async def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """The vectors, shape (texts, dimensions).

        Raises:
            ConnectionError: the endpoint does not answer.
            InputError: it refuses, or the model cannot be loaded.
        """


def make_encoder(settings: EndpointSettings | LocalSettings) -> Encoder:
    """The encoder of the settings."""
    if isinstance(settings, EndpointSettings):
        return EndpointEncoder(settings)
    return LocalEncoder(settings)


def prefixes(settings: EndpointSettings | LocalSettings) -> dict[Side, str]:
    """What stands before a text. E5 models were trained with `query: ` and `passage: `, which the
    released code sets by the model's name; settings win."""
    e5 = "e5" in settings.model.lower()
    query, passage = settings.query_prefix, settings.passage_prefix
    return {
        "query": query if query is not None else "query: " if e5 else "",
        "passage": passage if passage is not None else "passage: " if e5 else "",
    }


class EndpointEncoder:
    """Asks an endpoint; passing failures are tried again, 429 waits as long as it says."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._prefixes = prefixes(settings)

    @property
    def label(self) -> str:
        """See `Encoder`."""
        return f"{self._settings.model}|{self._prefixes['query']}|{self._prefixes['passage']}"

    async def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """See `Encoder`."""
        wanted = [self._prefixes[side] + text for text in texts]
        timeout = aiohttp.ClientTimeout(total=self._settings.timeout)
        async with aiohttp.ClientSession(timeout=timeout, headers=self._headers()) as session:
            step = self._settings.batch
            parts = [
                await self._batch(session, wanted[at : at + step])
                for at in range(0, len(wanted), step)
            ]
        return unit(np.concatenate(parts)) if parts else np.zeros((0, 0), np.float32)

    def _headers(self) -> dict[str, str]:
        name = self._settings.api_key_env
        if name is None:
            return {}
        if not os.environ.get(name):
            raise InputError(f"embeddings: the environment variable {name} is not set")
        return {"Authorization": f"Bearer {os.environ[name]}"}

    async def _batch(self, session: aiohttp.ClientSession, texts: list[str]) -> Vectors:
        url = f"{self._settings.base_url.rstrip('/')}/embeddings"
        body = {"model": self._settings.model, "input": texts, "encoding_format": "float"}
        wait, last = FIRST_WAIT, ""
        for _ in range(ATTEMPTS):
            try:
                async with session.post(url, json=body) as response:
                    if response.status == 200:
                        return _vectors(await response.json(), len(texts))
                    last = f"{response.status}: {(await response.text())[:200]}"
                    if response.status < 500 and response.status not in (408, 429):
                        raise InputError(f"embeddings at {url} refused: {last}")
                    wait = max(wait, _retry_after(response))
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                last = f"{type(error).__name__}: {error}"
            await asyncio.sleep(wait)
            wait *= 2
        raise ConnectionError(f"embeddings at {url}: {last}")


class LocalEncoder:
    """A sentence-transformers model, loaded at the first use."""

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings
        self._prefixes = prefixes(settings)
        self._model: Any = None

    @property
    def label(self) -> str:
        """See `Encoder`."""
        return f"{self._settings.model}|{self._prefixes['query']}|{self._prefixes['passage']}"

    async def encode(self, texts: Sequence[str], side: Side) -> Vectors:
        """See `Encoder`."""
        wanted = [self._prefixes[side] + text for text in texts]
        return await asyncio.to_thread(self._encode, wanted)

    def _encode(self, texts: list[str]) -> Vectors:
        if self._model is None:
            try:
                from sentence_transformers import SentenceTransformer
            except ImportError as error:
                raise InputError(
                    "a local encoder needs the extra 'embeddings': "
                    "pip install 'synthmill[embeddings]'"
                ) from error
            self._model = SentenceTransformer(self._settings.model)
        made = self._model.encode(texts, batch_size=self._settings.batch, show_progress_bar=False)
        return unit(np.asarray(made, np.float32))


def unit(vectors: Vectors) -> Vectors:
    """Rows scaled to length 1, so that the dot product is the cosine."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(norms, np.finfo(np.float32).tiny)).astype(np.float32)


def _vectors(body: Any, count: int) -> Vectors:
    """The vectors of a response, in the order of the request.

    Raises:
        ValueError: it is not what was asked for.
    """
    try:
        rows = sorted(body["data"], key=lambda row: row["index"])
        vectors = np.asarray([row["embedding"] for row in rows], np.float32)
    except (KeyError, TypeError) as error:
        raise ValueError(f"no embeddings in the answer: {error}") from error
    if vectors.ndim != 2 or len(vectors) != count or not np.isfinite(vectors).all():
        raise ValueError(f"{count} vectors were asked for, shape {vectors.shape} came")
    return vectors


def _retry_after(response: aiohttp.ClientResponse) -> float:
    try:
        return min(60.0, float(response.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0
