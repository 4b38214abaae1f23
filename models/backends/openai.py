"""Any OpenAI-compatible endpoint: vLLM, SGLang, Ollama, llama.cpp, a cloud."""

import asyncio
import os
import time
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any, ClassVar, Generic, TypeVar

from synthmill.models.backend import Backend, BackendSettings
from synthmill.models.completion import Completion, Embedding
from synthmill.models.endpoint_pool import Endpoint, EndpointPool, Place
from synthmill.models.errors import (
    TIMED_OUT,
    ConfigurationError,
    HTTPStatusError,
    RateLimited,
    RequestRejected,
    ServerUnavailable,
    TransientError,
)
from synthmill.models.forms import USUAL_FORMS, WORDS, Form, small_request
from synthmill.models.http import HTTPClient
from synthmill.models.openai_api.answer import (
    from_chat,
    from_embeddings,
    from_text,
    served_models,
)
from synthmill.models.openai_api.body import chat_body, conversation_text, encode, text_body
from synthmill.models.openai_api.dialect import MOST_STEPS, Dialect
from synthmill.models.openai_api.settings import (
    MEGABYTE,
    OpenAISettings,
    WireSettings,
    checked_address,
)
from synthmill.models.prompt import Prompt
from synthmill.models.request import Request
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.recipe import ModelSpec

A = TypeVar("A", Completion, Embedding)


@dataclass(slots=True)
class _Call(Generic[A]):
    """One call on its way: how to write it, how to read its answer, how it has fared so far."""

    kind: str
    path: str
    write: Callable[[Dialect], dict[str, Any]]
    read: Callable[[bytes, int], list[A]]
    tokens: Callable[[A], int]
    priority: int
    began: float = field(default_factory=time.monotonic)
    failures: int = 0
    refusals: int = 0
    timeouts: int = 0
    written: tuple[Dialect, dict[str, Any], bytes] | None = None


def _spent(completion: Completion) -> int:
    return completion.prompt_tokens + completion.completion_tokens


@dataclass(slots=True)
class _Learned:
    """What is known of one server: how to write to it, what it has answered, what it refused."""

    dialect: Dialect
    proven: set[str] = field(default_factory=set)
    notices: list[str] = field(default_factory=list)


class OpenAI(Backend):
    """Calls one or more endpoints that serve the same model."""

    name: ClassVar[str] = "openai"
    Settings: ClassVar[type[BackendSettings]] = OpenAISettings

    def __init__(
        self, spec: ModelSpec, settings: WireSettings, *, give_up_after_seconds: float = 300.0
    ) -> None:
        super().__init__(spec, settings, give_up_after_seconds=give_up_after_seconds)
        self.settings: WireSettings = settings
        self._key_name: str | None = None
        self._samples = settings.max_samples
        self._policy = settings.retry_policy
        self._random = Random()  # jitter only: it spreads retries, and no row depends on it
        self._http: HTTPClient | None = None
        self._pool = EndpointPool([], give_up_after=0, longest=0)
        self._learned: dict[Endpoint, _Learned] = {}

    def samples_a_call(self, request: Request) -> int:
        """As many as the server gives; a greedy answer is asked for alone, as vLLM demands."""
        return self._samples if request.sampling.temperature > 0 else 1

    async def open(self) -> None:
        """Read the key and set up the connections; the server itself is not asked yet.

        Raises:
            InputError: the environment variable of the key is not set, or an address is wrong.
        """
        assert isinstance(self.settings, OpenAISettings)
        key = self._key(self.settings.api_key_env)
        headers = dict(self.settings.headers)
        if key is not None:
            name = self.settings.api_key_header
            headers[name] = f"Bearer {key}" if name.lower() == "authorization" else key
        self.connect([checked_address(url) for url in self.settings.base_url], headers, key)

    def connect(self, urls: Sequence[str], headers: Mapping[str, str], secret: str | None) -> None:
        """Set up the connections; `secret` is hidden wherever a server repeats it."""
        settings = self.settings
        self._http = HTTPClient(headers, settings.http, secret=secret)
        endpoints = [Endpoint(url, settings.max_concurrency, settings.pacer()) for url in urls]
        self._learned = {endpoint: _Learned(settings.dialect) for endpoint in endpoints}
        self._pool = EndpointPool(
            endpoints, give_up_after=self.give_up_after_seconds, longest=settings.total_seconds
        )

    async def close(self) -> None:
        """Close all connections."""
        self._pool.close()
        if self._http is not None:
            await self._http.close()

    def status(self) -> str | None:
        """One line: endpoints that are dead or ask us to wait, and what they have refused."""
        return "; ".join(filter(None, [self._pool.status(), *self._notices()])) or None

    def complete(
        self, request: Request, prompt: Prompt[Any], *, priority: int = 0
    ) -> Coroutine[Any, Any, list[Completion]]:
        """Ask until an endpoint answers; failures that may pass are counted and tried again."""
        return self._complete(request, prompt.prompt_name(), priority)

    async def _complete(self, request: Request, kind: str, priority: int = 0) -> list[Completion]:
        settings, model = self.settings, self.spec.model
        if settings.api == "completions" or (request.prefix and settings.prefix == "completions"):
            path, read = "/completions", from_text
            text = await conversation_text(request, settings.template)
            write = partial(text_body, request, model, text)
        else:
            path, read = "/chat/completions", from_chat
            write = partial(chat_body, request, model)
        call = _Call(kind, path, write, partial(read, request), _spent, priority)
        completions = await self._ask(call)
        if len(completions) < request.n:
            # Servers that do not know `n` give one choice: from now on, ask for what they give.
            self._samples = min(self._samples, len(completions))
        return completions

    async def embed(self, texts: Sequence[str], *, priority: int = 0) -> list[Embedding]:
        """Ask `/embeddings` until an endpoint answers."""
        body = {"model": self.spec.model, "input": list(texts), "encoding_format": "float"}
        call = _Call(
            "embedding",
            "/embeddings",
            lambda dialect: dict(body),
            lambda answer, sent_bytes: from_embeddings(answer, texts),
            lambda embedding: embedding.tokens,
            priority,
        )
        return await self._ask(call)

    async def check(self, forms: Collection[Form] = USUAL_FORMS) -> str:
        """Look for the model at every endpoint, then make one small call of each form.

        What an endpoint refuses of them, and is asked in another way, is in the answer.
        """
        assert self._http is not None
        for endpoint in self._pool.endpoints:
            try:
                served = served_models((await self._http.send(f"{endpoint.url}/models")).body)
            except TransientError as error:
                raise ServerUnavailable(f"{endpoint.url} does not answer: {error}") from error
            except HTTPStatusError as error:
                raise self._rejection(error, "") from error
            if served and self.spec.model not in served:
                known = ", ".join(served[:10])
                hint = nearest(self.spec.model, served)
                raise ConfigurationError(
                    f"{endpoint.url} has no model {self.spec.model!r}{hint}; it serves {known}"
                )
        notes = [note for form in forms if (note := await self._try(form))]
        urls = ", ".join(endpoint.url for endpoint in self._pool.endpoints)
        tried = ", ".join(WORDS[form] for form in forms)
        line = f"{self.name}: {urls} serves {self.spec.model}, answered with {tried}"
        return "; ".join([line, *notes, *self._notices()])

    async def _try(self, form: Form) -> str | None:
        """Make one small call of a form; says what its answer lacks."""
        if form == "embedding":
            await self.embed(["one text"])
            return None
        answers = await self._complete(small_request(form, self.model), "check")
        if form == "logprobs" and not any(answer.tokens for answer in answers):
            return "without the log-probabilities that were asked for"
        return None

    async def _ask(self, call: _Call[A]) -> list[A]:
        """The answer to a call, from whichever endpoint gives one.

        Raises:
            ServerUnavailable: all endpoints have been failing for too long.
            RequestRejected: the call is refused, or failed too often while others were answered.
        """
        failed_at: Endpoint | None = None
        while True:
            place = await self._pool.enter(
                call.kind, priority=call.priority, timeouts=call.timeouts, avoid=failed_at
            )
            try:
                try:
                    return await self._attempt(call, place)
                except asyncio.CancelledError:
                    if not place.ended_by_limit():
                        raise
                    raise TransientError(TIMED_OUT) from None
            except TransientError as error:
                self.failures[call.kind][error.kind] += 1
                delay = self._after_failure(call, place, error)
                failed_at, last = place.endpoint, str(error)
            except HTTPStatusError as error:
                raise self._rejection(error, f"prompt {call.kind}: ") from error
            finally:
                self._pool.leave(place)
            # A server that answers others but never this request will not answer it at all; one
            # that answers nobody is waited for as long as the back end waits for a dead server.
            answers_others = self._pool.last_answer > call.began
            if call.failures > self._policy.retries and answers_others:
                raise RequestRejected(
                    f"prompt {call.kind}: {call.failures} tries failed, the last by: {last}"
                )
            self._pool.check_deadline()
            await asyncio.sleep(delay)

    async def _attempt(self, call: _Call[A], place: Place) -> list[A]:
        """One try at one endpoint; a refused request is written more simply, where possible."""
        assert self._http is not None
        learned = self._learned[place.endpoint]
        dialect, notices = learned.dialect, list[str]()
        refusal: HTTPStatusError | None = None
        while True:
            body, sent = self._written(call, dialect)
            try:
                response = await self._http.send(place.endpoint.url + call.path, sent)
            except HTTPStatusError as error:
                refusal = refusal or error
                step = dialect.simpler(error, body, learned.proven)
                if step is None or len(notices) == MOST_STEPS:
                    raise refusal from None
                dialect = step[0]
                notices.append(step[1])
                continue
            answers = call.read(response.body, len(sent))
            self._pool.answered(place, sum(map(call.tokens, answers)), response.headers)
            learned.proven |= dialect.forms_of(body)
            if notices:
                learned.dialect = dialect
                learned.notices += [n for n in notices if n not in learned.notices]
                self._samples = min(self._samples, dialect.samples)
            return answers

    def _written(self, call: _Call[A], dialect: Dialect) -> tuple[dict[str, Any], bytes]:
        """The body of a call and its bytes; kept for the next try."""
        if call.written is None or call.written[0] != dialect:
            body = call.write(dialect) | self.settings.extra_body
            for name in dialect.omit:
                body.pop(name, None)
            sent = encode(body)
            if len(sent) > self.settings.max_request_mb * MEGABYTE:
                raise RequestRejected(
                    f"prompt {call.kind}: its {len(sent):,} bytes are over max_request_mb"
                )
            call.written = dialect, body, sent
        return call.written[1:]

    def _after_failure(self, call: _Call[A], place: Place, error: TransientError) -> float:
        """Report a failure to the pool; returns the seconds to wait before a retry."""
        if isinstance(error, RateLimited):
            wait = error.wait
            if wait is None:
                wait = self._policy.backoff(call.refusals, self._random)
            call.refusals += 1
            self._pool.refused(place, error, wait)
            return min(wait, self.give_up_after_seconds)
        self._pool.failed(place, error)
        if error.absent:
            return 0.0  # the endpoint's own pause is the wait
        call.failures += 1
        if error.kind == TIMED_OUT:
            call.timeouts += 1
            return 0.0  # it has waited long enough
        # A server that has answered other calls meanwhile needs no longer and longer pauses.
        in_a_row = min(call.failures, place.endpoint.breaker.failures)
        return self._policy.backoff(in_a_row, self._random)

    def _key(self, name: str | None) -> str | None:
        if name is None:
            return None
        self._key_name = name
        key = os.environ.get(name, "").strip()
        if not key:
            raise InputError(f"the environment variable {name}, which holds the key, is not set")
        return key

    def _notices(self) -> list[str]:
        return [
            f"{endpoint.url}: {', '.join(learned.notices)}"
            for endpoint, learned in self._learned.items()
            if learned.notices
        ]

    def _rejection(self, error: HTTPStatusError, prompt: str) -> RequestRejected:
        """What a rejection means to the user, in one line."""
        if error.status in (401, 403):
            name = self._key_name
            cure = f"the key in {name} is not accepted" if name else "give a key: api_key_env"
            return ConfigurationError(f"{error}; {cure}")
        if error.status == 404:
            return ConfigurationError(
                f"{error}; is it the address up to /v1, and is the model "
                f"{self.spec.model!r} served there?"
            )
        if 300 <= error.status < 400:
            return ConfigurationError(f"{error}; give the address that answers itself")
        return RequestRejected(f"{prompt}{error}")
