"""A real OpenAI-compatible server on loopback whose answers, delays and faults a test decides.

    with ScriptedServer() as server:
        spec = ModelSpec(backend="openai", model="scripted", settings={"base_url": server.url})

It runs in a thread of its own with its own event loop, so it serves this process and others, and
outlives a client that is killed.

- Answers are a function of the request alone (`answer(body, seed)`, where sample i of a call has
  the seed `seed + i`, as with vLLM), so that runs can be compared. `text_of` is the default.
- `asked` counts requests by key (the hash of the body), `answered` those that were answered in
  full: `max(server.answered.values())` is 1 when nothing was paid for twice.
- `Faults(share, kinds)` makes that share of requests fail, decided by the key and the number of
  the try: the same run meets the same faults, and a retry meets its own luck; `Faults.mixed` gives
  each kind its own share. `faulted` counts them by kind. A 429 comes at once, other faults after
  the time that an answer takes.
- `capacity` answers 429 to what exceeds so many requests at once; `peak` is the most there were.
- `slots` are how many requests are answered side by side; the others wait, in order of arrival.
- `refuses` gets each body and returns the message of an HTTP 400, or None.
- `key` is the only API key it accepts; `model` the only model it knows; `choices` the most samples
  it gives for one call; `latency` the seconds that an answer takes.
- `stop()` and `start()` take it down and up again on the same port.
"""

import asyncio
import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from types import TracebackType
from typing import Any, Self

from aiohttp import web

KINDS = ("429", "500", "reset", "hang", "truncated", "wrong_json")  # and "empty"
HANG_SECONDS = 60.0

Answer = Callable[[dict[str, Any], int], str | dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Faults:
    """Which share of requests fails, and how; `retry_after` goes with each 429."""

    share: float = 0.5
    kinds: tuple[str, ...] = KINDS
    retry_after: str = "0.05"
    seed: int = 0
    weights: tuple[float, ...] | None = None

    @classmethod
    def mixed(cls, shares: dict[str, float], **others: Any) -> Self:
        """Faults of which each kind has its own share of all requests."""
        return cls(sum(shares.values()), tuple(shares), weights=tuple(shares.values()), **others)

    def of(self, key: str, attempt: int) -> str | None:
        """The fault that a request meets at an attempt, or None."""
        return self.draw(Random(f"{self.seed}/{key}/{attempt}"))

    def draw(self, rng: Random) -> str | None:
        """A fault by chance, or None."""
        fault = rng.choices(self.kinds, self.weights)[0] if self.weights else rng.choice(self.kinds)
        return fault if rng.random() < self.share else None


def text_of(body: dict[str, Any], seed: int) -> str:
    """A short text that depends on the request and the seed; JSON where JSON is asked for."""
    asked = body.get("messages") or body.get("prompt")
    rng = Random(json.dumps([asked, seed], sort_keys=True))
    form = body.get("response_format")
    if form is None:
        return " ".join(rng.choice(("one", "two", "three", "four")) for _ in range(6))
    schema = form.get("json_schema", {}).get("schema", {"type": "object"})
    return json.dumps(instance(schema, rng, schema))


def instance(schema: dict[str, Any], rng: Random, root: dict[str, Any]) -> Any:
    """A value that is valid under a JSON schema as pydantic writes them."""
    if "$ref" in schema:
        return instance(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], rng, root)
    if "enum" in schema or "const" in schema:
        return rng.choice(schema.get("enum") or [schema["const"]])
    if "anyOf" in schema:
        return instance(rng.choice(schema["anyOf"]), rng, root)
    match schema.get("type", "null"):
        case "object":
            return {k: instance(v, rng, root) for k, v in schema.get("properties", {}).items()}
        case "array":
            return [instance(schema.get("items", {}), rng, root) for _ in range(rng.randint(1, 3))]
        case "string":
            return rng.choice(("alpha", "beta", "gamma"))
        case "integer":
            return rng.randint(schema.get("minimum", 0), schema.get("maximum", 9))
        case "number":
            return rng.uniform(schema.get("minimum", 0.0), schema.get("maximum", 1.0))
        case "boolean":
            return rng.random() < 0.5
    return None


class ScriptedServer:
    """See the module's docstring; a context manager that serves while it is open."""

    def __init__(
        self,
        answer: Answer = text_of,
        *,
        faults: Faults | None = None,
        capacity: int | None = None,
        key: str | None = None,
        model: str = "scripted",
        choices: int = 10**6,
        latency: float = 0.0,
        slots: int | None = None,
        refuses: Callable[[dict[str, Any]], str | None] = lambda body: None,
    ) -> None:
        self.answer, self.faults, self.capacity, self.key = answer, faults, capacity, key
        self.model, self.choices, self.latency = model, choices, latency
        self.slots = asyncio.Semaphore(slots or 10**6)
        self.refuses = refuses
        self.prompt_cache = 0  # prompt tokens of each call that are said to come from a cache
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.faulted: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.refused = self.busy = self.peak = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The address to give as `base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self) -> None:
        """Listen: on a free port the first time, on the same one later."""
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result()

    def stop(self) -> None:
        """Stop listening and drop every connection."""
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result()

    async def _start(self) -> None:
        app = web.Application(client_max_size=2**28)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/completions", self._text)
        app.router.add_post("/v1/embeddings", self._embeddings)
        self._runner = web.AppRunner(
            app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _models(self, request: web.Request) -> web.Response:
        return self._rejection(request) or web.json_response({"data": [{"id": self.model}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, self._chat_choice)

    async def _text(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, self._text_choice)

    async def _embeddings(self, request: web.Request) -> web.Response:
        body = await request.json()
        if rejection := self._rejection(request, body):
            return rejection
        data = [
            {"index": index, "embedding": [float(len(text)), 1.0]}
            for index, text in enumerate(body["input"])
        ]
        return web.json_response({"data": data, "usage": {"prompt_tokens": len(data)}})

    def _rejection(self, request: web.Request, body: dict[str, Any] | None = None) -> Any:
        given = request.headers.get("Authorization")
        if self.key is not None and given != f"Bearer {self.key}":
            # As careless as some servers are: the wrong key stands in the error.
            return _error(401, f"Incorrect API key provided: {given}")
        if body is not None and body.get("model") != self.model:
            return _error(404, f"The model {body.get('model')!r} does not exist")
        return None

    async def _serve(
        self, request: web.Request, choice: Callable[..., dict[str, Any]]
    ) -> web.StreamResponse:
        raw = await request.read()
        body = json.loads(raw)
        key = hashlib.sha256(json.dumps([request.path, body], sort_keys=True).encode()).hexdigest()
        if rejection := self._rejection(request, body):
            return rejection
        self.asked[key] += 1
        self.busy += 1
        self.peak = max(self.peak, self.busy)
        try:
            if self.capacity is not None and self.busy > self.capacity:
                self.refused += 1
                return _error(429, "too many requests at once")
            if message := self.refuses(body):
                return _error(400, message)
            fault = self.faults and self.faults.of(key, self.asked[key])
            if self.latency and fault != "429":
                async with self.slots:
                    await asyncio.sleep(self.latency)
            answer = self._completion(body, choice)
            if fault:
                self.faulted[fault] += 1
                return await self._misbehave(request, fault, answer)
            self.bodies.append(body)
            self.answered[key] += 1
            return web.json_response(answer)
        finally:
            self.busy -= 1

    def _completion(self, body: dict[str, Any], choice: Callable[..., Any]) -> dict[str, Any]:
        n = min(body.get("n", 1), self.choices)
        choices = [choice(body, i, self.answer(body, body.get("seed", 0) + i)) for i in range(n)]
        tokens = sum(len(_tokens(str(c.get("text") or c.get("message")))) for c in choices)
        usage: dict[str, Any] = {"prompt_tokens": 11, "completion_tokens": tokens}
        if self.prompt_cache:
            usage["prompt_tokens_details"] = {"cached_tokens": self.prompt_cache}
        return {"object": "completion", "model": self.model, "choices": choices, "usage": usage}

    def _chat_choice(
        self, body: dict[str, Any], index: int, said: str | dict[str, Any]
    ) -> dict[str, Any]:
        message = {"content": said} if isinstance(said, str) else said
        choice: dict[str, Any] = {
            "index": index,
            "message": {"role": "assistant", **message},
            "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
        }
        if body.get("logprobs"):
            places = [_place(t, body["top_logprobs"]) for t in _tokens(message["content"] or "")]
            choice["logprobs"] = {"content": [*places, _place("<|end|>", body["top_logprobs"])]}
        return choice

    def _text_choice(
        self, body: dict[str, Any], index: int, said: str | dict[str, Any]
    ) -> dict[str, Any]:
        text = said if isinstance(said, str) else said["content"]
        choice: dict[str, Any] = {"index": index, "text": text, "finish_reason": "stop"}
        if body.get("logprobs"):
            places = [_place(token, body["logprobs"]) for token in _tokens(text)]
            choice["logprobs"] = {
                "tokens": [place["token"] for place in places],
                "token_logprobs": [place["logprob"] for place in places],
                "top_logprobs": [
                    {top["token"]: top["logprob"] for top in place["top_logprobs"]}
                    for place in places
                ],
            }
        return choice

    async def _misbehave(
        self, request: web.Request, fault: str, answer: dict[str, Any]
    ) -> web.StreamResponse:
        assert self.faults is not None
        match fault:
            case "429":
                headers = {"Retry-After": self.faults.retry_after}
                return _error(429, "slow down", headers)
            case "500":
                return _error(500, "the engine stumbled")
            case "wrong_json":
                return web.Response(text='{"choices": [{"mess', content_type="application/json")
            case "hang":
                await asyncio.sleep(HANG_SECONDS)
            case "empty":
                for choice in answer["choices"]:
                    choice["message"]["content"] = ""
                return web.json_response(answer)
        if fault == "truncated":
            text = json.dumps(answer).encode()
            response = web.StreamResponse(headers={"Content-Length": str(len(text))})
            await response.prepare(request)
            await response.write(text[: len(text) // 2])
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def _error(status: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"error": {"message": message, "type": "scripted"}}
    return web.json_response(body, status=status, headers=headers)


def _tokens(text: str) -> list[str]:
    return re.findall(r"\s?\S+|\s", text)


def _place(token: str, top: int) -> dict[str, Any]:
    alternatives = [(token, -0.25), *((f"{token}{i}", -2.0 - i) for i in range(1, top))][:top]
    listed = [{"token": t, "logprob": p, "bytes": list(t.encode())} for t, p in alternatives]
    return {
        "token": token,
        "logprob": -0.25,
        "bytes": list(token.encode()),
        "top_logprobs": listed,
    }
