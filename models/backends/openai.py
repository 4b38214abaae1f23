"""Any OpenAI-compatible endpoint: vLLM, SGLang, Ollama, llama.cpp, a cloud."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

from synthmill.models.backend import Backend, BackendSettings
from synthmill.models.balancer import Balancer, Slot
from synthmill.models.completion import Completion
from synthmill.models.connection import Limits
from synthmill.models.endpoint import Endpoint
from synthmill.models.errors import (
    ConfigurationError,
    HTTPStatusError,
    RateLimited,
    RequestRejected,
    ServerUnavailable,
    TransientError,
)
from synthmill.models.openai_api.answer import from_chat, from_text, served_models
from synthmill.models.openai_api.body import chat_body, encode, text_body
from synthmill.models.openai_api.settings import OpenAISettings, WireSettings, checked_address
from synthmill.models.prompt import Prompt
from synthmill.models.request import Request
from synthmill.models.transport import Transport
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.recipe import ModelSpec

MEGABYTE = 2**20


@dataclass(slots=True)
class Call:
    """One request on its way: what is sent, and how it has fared so far."""

    path: str
    body: bytes
    n: int
    began: float
    failures: int = 0
    refusals: int = 0


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
        self._random = Random()  # jitter only: it spreads retries, and no row depends on it
        self._transport: Transport | None = None
        self._balancer = Balancer([], give_up_after_seconds)

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
        limits = Limits(
            connect=settings.connect_seconds,
            stall=settings.stall_seconds,
            total=settings.total_seconds,
            response_bytes=int(settings.max_response_mb * MEGABYTE),
        )
        self._transport = Transport(headers, limits, secret=secret)
        endpoints = [Endpoint(url, settings.max_concurrency) for url in urls]
        self._balancer = Balancer(endpoints, self.give_up_after_seconds)

    async def close(self) -> None:
        """Close all connections."""
        self._balancer.close()
        if self._transport is not None:
            await self._transport.close()

    def status(self) -> str | None:
        """One line when endpoints are dead or told us to wait."""
        return self._balancer.status()

    async def complete(
        self, request: Request, prompt: Prompt[Any], *, priority: int = 0
    ) -> list[Completion]:
        """Ask until an endpoint answers; failures that may pass are counted and tried again."""
        name = prompt.prompt_name()
        call = self._call(request)
        if len(call.body) > self.settings.max_request_mb * MEGABYTE:
            raise RequestRejected(
                f"prompt {name}: its {len(call.body):,} bytes are over max_request_mb"
            )
        failed_at: Endpoint | None = None
        while True:
            slot = await self._balancer.enter(avoid=failed_at)
            try:
                return await self._attempt(call, slot)
            except TransientError as trouble:
                self.failures[name][trouble.kind] += 1
                delay = self._setback(call, slot, trouble)
                failed_at, last = slot.endpoint, trouble.kind
            except HTTPStatusError as error:
                raise self._refusal(error, f"prompt {name}: ") from error
            finally:
                self._balancer.leave(slot)
            # A server that answers others but never this request will not answer it at all; one
            # that answers nobody is waited for as long as patience lasts.
            if call.failures > self.settings.retries and self._balancer.last_answer > call.began:
                raise RequestRejected(
                    f"prompt {name}: {call.failures} tries failed, the last by: {last}"
                )
            self._balancer.check_deadline()
            await asyncio.sleep(delay)

    async def check(self) -> str:
        """Ask every endpoint for its models, and look for ours among them."""
        assert self._transport is not None
        for endpoint in self._balancer.endpoints:
            try:
                served = served_models(await self._transport.get(f"{endpoint.url}/models"))
            except TransientError as trouble:
                raise ServerUnavailable(
                    f"{endpoint.url} does not answer: {trouble.kind}"
                ) from trouble
            except HTTPStatusError as error:
                raise self._refusal(error, "") from error
            if served and self.spec.model not in served:
                known = ", ".join(served[:10])
                hint = nearest(self.spec.model, served)
                raise ConfigurationError(
                    f"{endpoint.url} has no model {self.spec.model!r}{hint}; it serves {known}"
                )
        urls = ", ".join(endpoint.url for endpoint in self._balancer.endpoints)
        return f"{self.name}: {urls} serves {self.spec.model}"

    def _key(self, name: str | None) -> str | None:
        if name is None:
            return None
        self._key_name = name
        key = os.environ.get(name, "").strip()
        if not key:
            raise InputError(f"the environment variable {name}, which holds the key, is not set")
        return key

    def _call(self, request: Request) -> Call:
        settings = self.settings
        if settings.api == "completions" or (request.prefix and settings.prefix == "completions"):
            path, body = "/completions", text_body(request, self.spec.model, settings.template)
        else:
            path = "/chat/completions"
            body = chat_body(
                request,
                self.spec.model,
                schema_style=settings.json_style,
                prefix_style=settings.prefix,
            )
        sent = encode(body, settings.tokens_field, settings.extra_body, settings.omit)
        return Call(path, sent, request.n, time.monotonic())

    async def _attempt(self, call: Call, slot: Slot) -> list[Completion]:
        assert self._transport is not None
        answer = await self._transport.post(slot.endpoint.url + call.path, call.body)
        read = from_chat if call.path == "/chat/completions" else from_text
        completions = read(answer, call.n)
        self._balancer.answered(slot)
        if len(completions) < call.n:
            # Servers that do not know `n` give one choice: from now on, ask for what they give.
            self._samples = min(self._samples, len(completions))
        return completions

    def _setback(self, call: Call, slot: Slot, trouble: TransientError) -> float:
        """Tell the endpoint's state of a failure; returns the seconds to wait before a retry."""
        now = time.monotonic()
        if isinstance(trouble, RateLimited):
            wait = self._backoff(call.refusals) if trouble.wait is None else trouble.wait
            call.refusals += 1
            slot.endpoint.refused(now, slot.started, wait, self.give_up_after_seconds)
            return min(wait, self.give_up_after_seconds)
        slot.endpoint.failed(
            now, slot.started, trouble.kind, absent=trouble.absent, probe=slot.probe
        )
        if trouble.absent:
            return 0.0  # the endpoint's own pause is the wait
        call.failures += 1
        return self._backoff(call.failures)

    def _backoff(self, failures: int) -> float:
        settings = self.settings
        longest = settings.first_backoff_seconds * 2.0 ** min(failures, 30)
        return min(longest, settings.longest_backoff_seconds) * self._random.uniform(0.5, 1.0)

    def _refusal(self, error: HTTPStatusError, prompt: str) -> RequestRejected:
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
