"""A request as the body that OpenAI-compatible servers take."""

import json
from functools import lru_cache
from typing import Any

import jinja2
import orjson
from jinja2.sandbox import ImmutableSandboxedEnvironment

from synthmill.models.errors import ConfigurationError
from synthmill.models.openai_api.dialect import Dialect, SchemaStyle
from synthmill.models.openai_api.settings import BASE_TEMPLATE
from synthmill.models.request import Request
from synthmill.runtime.workers import Limits, WorkerError, shared_pool
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart, is_data_url

TEMPLATE_LIMITS = Limits(seconds=10.0, memory_mb=512, output_mb=64)  # ours
# Many servers keep seeds in 32 bits.
SEED_MASK = 2**31 - 1
SCHEMA_INSTRUCTION = (
    "Answer with one JSON object and nothing else. It must be valid under this JSON schema:\n"
)
_ENVIRONMENT = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)


def render_template(template: str, messages: list[dict[str, Any]]) -> str:
    """The text of a conversation in a template."""
    return _ENVIRONMENT.from_string(template).render(messages=messages)


def chat_body(request: Request, model: str, dialect: Dialect) -> dict[str, Any]:
    """The body of a call of `/chat/completions`."""
    messages = [_turn(message) for message in request.messages]
    body = {"model": model, "messages": messages, **_sampling(request, dialect)}
    if request.sampling.top_logprobs:
        body["logprobs"] = True
        body["top_logprobs"] = request.sampling.top_logprobs
    if request.tools is not None:
        body["tools"] = _parsed(request.tools)
    if request.json_schema is not None:
        _ask_for_json(body, request.json_schema, dialect.json_style)
    if request.prefix:
        messages.append({"role": "assistant", "content": request.prefix})
        if dialect.prefix == "continue_final_message":
            body["continue_final_message"] = True
            body["add_generation_prompt"] = False
    return body


async def conversation_text(request: Request, template: str) -> str:
    """The conversation of a request as one text, then the prefix.

    A recipe's template may loop without end, so it is rendered in a worker.

    Raises:
        ConfigurationError: the template fails, or exceeds `TEMPLATE_LIMITS`.
    """
    messages = [{**message.model_dump(), "content": message.text} for message in request.messages]
    if template == BASE_TEMPLATE:
        return render_template(template, messages) + request.prefix
    try:
        text = await shared_pool().run(render_template, template, messages, limits=TEMPLATE_LIMITS)
    except (WorkerError, jinja2.TemplateError, TypeError, ValueError) as error:
        raise ConfigurationError(f"`template` fails: {error}") from error
    return text + request.prefix


def text_body(request: Request, model: str, text: str, dialect: Dialect) -> dict[str, Any]:
    """The body of a call of `/completions` that continues a text."""
    body = {"model": model, "prompt": text, **_sampling(request, dialect)}
    if request.sampling.top_logprobs:
        body["logprobs"] = request.sampling.top_logprobs
    return body


def encode(body: dict[str, Any]) -> bytes:
    """The bytes of a body."""
    try:
        return orjson.dumps(body)
    except orjson.JSONEncodeError:
        # A model's tool calls may hold halves of surrogate pairs, a user's `extra_body` may have
        # numbers for keys.
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _sampling(request: Request, dialect: Dialect) -> dict[str, Any]:
    sampling = request.sampling
    body: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        dialect.tokens_field: sampling.max_tokens,
        # Servers seed sample i of a call with seed + i (vLLM does): so sample i is the same one
        # whether it is asked for alone or with others.
        "seed": (request.seed + request.first) & SEED_MASK,
    }
    if (n := min(request.n, dialect.samples)) > 1:
        body["n"] = n
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    return body


def _turn(message: Message) -> dict[str, Any]:
    turn: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls is not None:
        turn["tool_calls"] = json.loads(message.tool_calls)
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    if message.name is not None:
        turn["name"] = message.name
    return turn


def _content(message: Message) -> Any:
    """Text, or the wire's content parts. Frames of a video go as images, in order.

    Raises:
        ValueError: a part refers to a stored file, which has to be loaded first.
    """
    if not isinstance(message.content, tuple):
        return message.content
    parts: list[dict[str, Any]] = []
    for part in message.content:
        if isinstance(part, TextPart):
            parts.append({"type": "text", "text": part.text})
            continue
        kind = "video_url" if isinstance(part, VideoPart) and not part.has_frames else "image_url"
        detail = {"detail": part.detail} if isinstance(part, ImagePart) and part.detail else {}
        for path in (part.path,) if isinstance(part, ImagePart) else part.paths:
            if not is_data_url(path):
                raise ValueError(f"{path} is a stored file: see models.media.load_media")
            parts.append({"type": kind, kind: {"url": path, **detail}})
    return parts


@lru_cache(maxsize=64)
def _parsed(text: str) -> Any:
    """A JSON text that many requests share: a schema, a list of tools; read only."""
    return json.loads(text)


def _ask_for_json(body: dict[str, Any], schema: str, style: SchemaStyle) -> None:
    if style == "json_schema":
        form = {"name": "answer", "schema": _parsed(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
        return
    body["messages"].append({"role": "user", "content": SCHEMA_INSTRUCTION + schema})
    if style == "json_object":
        body["response_format"] = {"type": "json_object"}
