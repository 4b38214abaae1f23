"""The back end in the package: a small language model, offline rules and lexical vectors.

It is for trying, tests and deterministic runs without a server; what it makes says so in `model`.
"""

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from pydantic import Field

from synthmill.models.backend import Backend, BackendSettings
from synthmill.models.completion import Alternative, Completion, Embedding, Token
from synthmill.models.embedded.batched import BatchedLanguageModel
from synthmill.models.embedded.jobs import Generation, Job
from synthmill.models.embedded.language_model import WEIGHTS, LanguageModel
from synthmill.models.embedded.lexical_vectors import lexical_vector
from synthmill.models.errors import ConfigurationError, RequestRejected
from synthmill.models.forms import USUAL_FORMS, Form
from synthmill.models.offline import Continuation, NoOfflineRule, offline_answer
from synthmill.models.openai_api.align_tokens import align_tokens
from synthmill.models.prompt import Prompt
from synthmill.models.request import Request
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.recipe import ModelSpec

MODEL = "synthmill-lm"
# What decides the answers; the graph only runs it.
HASHED = ("model.safetensors", "tokenizer.json", "chat_template.jinja")


class EmbeddedSettings(BackendSettings):
    """Settings of the embedded back end."""

    batch_size: int = Field(
        default=16,
        ge=1,
        description="answers written side by side, those of earlier tasks first: with more, all "
        "tasks end late together, for a tenth less processor time",
    )
    threads: int | None = Field(default=None, ge=1, description="processor threads; default all")


class Embedded(Backend):
    """Answers by offline rules (`synthmill.models.offline`), or with the shipped language model."""

    name: ClassVar[str] = "embedded"
    local: ClassVar[bool] = True
    Settings: ClassVar[type[BackendSettings]] = EmbeddedSettings

    def __init__(
        self, spec: ModelSpec, settings: EmbeddedSettings, *, give_up_after_seconds: float = 300.0
    ) -> None:
        """See `Backend`.

        Raises:
            InputError: the recipe names another model than the shipped one.
        """
        super().__init__(spec, settings, give_up_after_seconds=give_up_after_seconds)
        self.settings: EmbeddedSettings = settings
        if spec.model != MODEL:
            hint = nearest(spec.model, [MODEL])
            raise InputError(
                f"the embedded back end has no model {spec.model!r}{hint}: it is {MODEL}; "
                "for another one give backend openai, vllm or llama_cpp"
            )
        self._model = f"{MODEL}@{_fingerprint(WEIGHTS)}"

    @property
    def model(self) -> str:
        """`synthmill-lm@` and a hash of the weights: other weights are another model."""
        return self._model

    async def open(self) -> None:
        """Load the model."""
        self._language_model = await asyncio.to_thread(
            LanguageModel, batch_size=self.settings.batch_size, threads=self.settings.threads
        )
        self._writer = BatchedLanguageModel(self._language_model)

    async def close(self) -> None:
        """End the model's thread."""
        if hasattr(self, "_writer"):
            await asyncio.to_thread(self._writer.close)

    async def complete(
        self, request: Request, prompt: Prompt[Any], *, priority: int = 0
    ) -> list[Completion]:
        """All samples; each depends on the request's seed and its own index alone."""
        indices = range(request.first, request.first + request.n)
        samples = (self._sample(request, prompt, index, priority) for index in indices)
        return await asyncio.gather(*samples)

    async def embed(self, texts: Sequence[str], *, priority: int = 0) -> list[Embedding]:
        """Vectors of word counts: the language model has none."""
        count = self._language_model.count_tokens
        return [Embedding(lexical_vector(text), count(text)) for text in texts]

    async def check(self, forms: Collection[Form] = USUAL_FORMS) -> str:
        """Write one token: the answers of rules need no server."""
        await super().check(forms)
        await self._writer.generate(Job("1 + 1", max_tokens=1))
        knows = "shipped, to try: small arithmetic and offline rules, nothing else"
        return f"{self.name}: {self.model} ({knows})"

    async def _sample(
        self, request: Request, prompt: Prompt[Any], index: int, priority: int
    ) -> Completion:
        seed = keyed_seed(request.seed, index)
        try:
            answer = offline_answer(prompt, Random(seed))
        except NoOfflineRule as error:
            raise ConfigurationError(str(error)) from error
        alone = index == request.first  # the prompt's tokens are booked on the first sample
        if isinstance(answer, Continuation):
            return await self._written(request, answer, seed, alone, priority)
        read = (message.text for message in request.messages) if alone else ()
        count = self._language_model.count_tokens
        return Completion(
            text=answer,
            prompt_tokens=sum(count(text) for text in read),
            completion_tokens=count(answer),
            from_rule=True,
        )

    async def _written(
        self, request: Request, task: Continuation, seed: int, alone: bool, priority: int
    ) -> Completion:
        """The language model's continuation of the text that the prompt's rule gave.

        What the rule gave counts as written: a model without the rule has to write it.
        """
        given = task.prefix.removeprefix(request.prefix)
        given_tokens = self._language_model.count_tokens(given) if given else 0
        sampling = request.sampling
        job = Job(
            prompt=task.problem,
            prefix=request.prefix + given,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=max(1, sampling.max_tokens - given_tokens),
            stop=sampling.stop,
            seed=seed,
            top_logprobs=sampling.top_logprobs,
        )
        try:
            written = await self._writer.generate(job, priority)
        except ValueError as error:
            raise RequestRejected(f"the embedded model cannot answer: {error}") from error
        return Completion(
            text=given + written.text,
            finish_reason=written.finish_reason,
            tokens=_tokens(written) if sampling.top_logprobs else (),
            prompt_tokens=written.prompt_tokens if alone else 0,
            completion_tokens=given_tokens + len(written.tokens),
        )


def _tokens(written: Generation) -> tuple[Token, ...]:
    tokens = [
        Token(
            token=token.text,
            logprob=token.logprob,
            top=tuple(Alternative(token=text, logprob=logprob) for text, logprob in token.top),
        )
        for token in written.tokens
    ]
    return align_tokens(tokens, [None] * len(tokens), written.text)


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256()
    for name in HASHED:
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:8]
