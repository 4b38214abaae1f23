"""What OpenAI-compatible servers answer, as completions.

A server may be broken or hostile, and what it says is stored and counted. So everything is checked
here, before the cache: types, counts, sizes, finite numbers. What does not fit is a
`TransientError`, which is counted and tried again; token counts that cannot be are estimated.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import orjson

from synthmill.models.completion import (
    COMPLETION,
    Alternative,
    Completion,
    Embedding,
    FinishReason,
    Token,
)
from synthmill.models.errors import TransientError
from synthmill.models.http import ERROR_CHARS, error_message
from synthmill.models.openai_api.align_tokens import align_tokens
from synthmill.models.request import Request

T = TypeVar("T")

CHARS_A_TOKEN = 4  # where a server counts nothing, so that budgets do not run blind
# Ours: no tokenizer has so many characters per token on average, nor so many tokens beside a text.
MOST_CHARS_A_TOKEN, SPARE_CHARS, SPARE_TOKENS = 64, 1000, 64
MOST_TOOL_CALLS = 64
TEMPLATE_TOKENS = 10_000  # prompt tokens beside the request's own bytes: templates, images
LOWEST_LOGPROB = -9999.0  # what OpenAI writes for minus infinity
FINISH: dict[str | None, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
BROKEN_OFF = frozenset({"abort", "error"})

# How nearly all tokenizers spell the marks that structure a conversation.
MARK = re.compile(r"<\|[^<>]{1,40}\|>")
# Thinking in front of the text: of Qwen and DeepSeek, Gemini, Magistral, Kimi. Some chat templates
# put the opening mark into the prompt, so the closing one may stand alone.
_THINKING = re.compile(
    r"\s*(?:<(think|thinking|thought|reasoning)>|\[THINK\]|◁think▷)(.*?)"
    r"(?:</(?:think|thinking|thought|reasoning)>|\[/THINK\]|◁/think▷|\Z)\s*",
    re.DOTALL,
)
_THINKING_ENDS = re.compile(r"</think>\s*")


def from_chat(request: Request, body: bytes, sent_bytes: int) -> list[Completion]:
    """At most `request.n` completions in a body of `/chat/completions`.

    Raises:
        TransientError: the body is not such an answer, the server broke off, or it says more than
            it was asked for.
    """
    return _read(body, _completions, request, len(body), sent_bytes, _from_message)


def from_text(request: Request, body: bytes, sent_bytes: int) -> list[Completion]:
    """At most `request.n` completions in a body of `/completions`; raises as `from_chat` does."""
    return _read(body, _completions, request, len(body), sent_bytes, _from_text)


def from_embeddings(body: bytes, texts: Sequence[str]) -> list[Embedding]:
    """One embedding of each text in a body of `/embeddings`, in the order of the texts.

    The tokens of the call are shared out by the lengths of the texts.

    Raises:
        TransientError: the body is not such an answer, or a number is not finite.
    """
    return _read(body, _embeddings, texts)


def served_models(body: bytes) -> list[str]:
    """Names in a body of `/models`; raises TransientError when it is not one."""
    return _read(body, lambda answer: [str(model["id"]) for model in answer["data"]])


def _read(body: bytes, meaning: Callable[..., list[T]], *about: Any) -> list[T]:
    answer = _parsed(body)
    try:
        return meaning(answer, *about)
    # pydantic's ValidationError is a ValueError.
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, RecursionError) as error:
        said, _ = error_message(body)
        detail = " ".join((said or "").split())[:ERROR_CHARS]
        raise TransientError("not a completion", detail=detail) from error


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # Takes more: NaN, and halves of surrogate pairs, which no cache and no row can hold.
        text = json.dumps(json.loads(body), ensure_ascii=False)
        return json.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise TransientError("not JSON") from error


def _completions(
    answer: dict[str, Any],
    request: Request,
    received_bytes: int,
    sent_bytes: int,
    fields: Callable[[dict[str, Any], Request], dict[str, Any]],
) -> list[Completion]:
    choices = answer["choices"]
    if not choices:
        raise ValueError("no choices")
    if len(choices) > 1:
        choices = sorted(choices, key=lambda choice: choice["index"])[: request.n]
    usage = answer.get("usage") or {}
    # Every token is a byte at least of what came, or hidden thinking within what was allowed.
    most = max(received_bytes, request.n * request.sampling.max_tokens)
    lengths = _lengths(_count(usage.get("completion_tokens"), most), choices)
    prompt = _count(usage.get("prompt_tokens"), sent_bytes + TEMPLATE_TOKENS)
    if prompt is None:
        prompt = sum(len(message.text) for message in request.messages) // CHARS_A_TOKEN
    details = usage.get("prompt_tokens_details") or {}
    cached = _count(details.get("cached_tokens"), prompt) or 0
    completions = []
    for choice, length in zip(choices, lengths, strict=True):
        said = fields(choice, request)
        said["prompt_tokens"], said["cached_tokens"] = prompt, cached
        said["completion_tokens"] = length
        completions.append(COMPLETION.validator.validate_python(said))
        prompt = cached = 0  # paid for once, so counted on the first sample
    return completions


def _embeddings(answer: dict[str, Any], texts: Sequence[str]) -> list[Embedding]:
    data = sorted(answer["data"], key=lambda item: item["index"])
    vectors = np.array([item["embedding"] for item in data], dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise ValueError("not one finite vector of each text")
    chars = [len(text) + 1 for text in texts]
    total = _count((answer.get("usage") or {}).get("prompt_tokens"), 4 * sum(chars))
    if total is None:
        total = sum(chars) // CHARS_A_TOKEN
    shares = [total * part // sum(chars) for part in chars]
    shares[0] += total - sum(shares)
    return [Embedding(*pair) for pair in zip(vectors, shares, strict=True)]


def _count(value: Any, most: int) -> int | None:
    """A count of tokens; None where it is missing or impossible."""
    return value if isinstance(value, int) and 0 <= value <= most else None


def _from_message(choice: dict[str, Any], request: Request) -> dict[str, Any]:
    message = choice["message"]
    reasoning = _joined(message.get("reasoning_content") or message.get("reasoning"))
    # llama.cpp repeats the beginning that it was given to continue.
    text = _joined(message.get("content")).removeprefix(request.prefix)
    calls = message.get("tool_calls") or []
    if len(calls) > MOST_TOOL_CALLS or not all(isinstance(call, dict) for call in calls):
        raise TransientError("too many tool calls")
    tool_calls = json.dumps(calls) if calls else None
    _bound(request, len(text) + len(reasoning) + len(tool_calls or ""))
    if not request.prefix:
        text, thought = _without_thinking(text)
        reasoning = reasoning or thought
    places = (choice.get("logprobs") or {}).get("content")
    return {
        "text": text,
        "finish_reason": _finish_reason(choice, "tool_calls" if calls else "stop"),
        "tokens": _fitted(places, text, request) if places else (),
        "reasoning": reasoning or None,
        "tool_calls": tool_calls,
    }


def _from_text(choice: dict[str, Any], request: Request) -> dict[str, Any]:
    text = choice["text"]
    _bound(request, len(text))
    logprobs = choice.get("logprobs")
    return {
        "text": text,
        "finish_reason": _finish_reason(choice, "stop"),
        "tokens": _fitted(_as_places(logprobs), text, request) if logprobs else (),
    }


def _finish_reason(choice: dict[str, Any], otherwise: FinishReason) -> FinishReason:
    reason = choice.get("finish_reason")
    if reason in BROKEN_OFF:
        raise TransientError("broken off by the server")
    return FINISH.get(reason, otherwise)


def _bound(request: Request, chars: int) -> None:
    if chars > MOST_CHARS_A_TOKEN * request.sampling.max_tokens + SPARE_CHARS:
        raise TransientError("answer longer than max_tokens")


def _without_thinking(text: str) -> tuple[str, str]:
    """The text and the thinking in front of it."""
    if found := _THINKING.match(text):
        return text[found.end() :], found[2].strip()
    if found := _THINKING_ENDS.search(text):
        return text[found.end() :], text[: found.start()].strip()
    return text, ""


def _joined(content: Any) -> str:
    """The text among content parts: some servers answer in parts, or without any."""
    if not content:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    raise TypeError("content is no text")


def _as_places(logprobs: dict[str, Any]) -> list[dict[str, Any]]:
    """The log-probabilities of `/completions` in the form that chat answers have."""
    tokens = logprobs["tokens"]
    tops = logprobs.get("top_logprobs") or [None] * len(tokens)
    return [
        {
            "token": token,
            "logprob": logprob or 0.0,  # missing for the first token of an echoed prompt
            "top_logprobs": [
                {"token": name, "logprob": value}
                for name, value in sorted((top or {}).items(), key=lambda pair: -pair[1])
            ],
        }
        for token, logprob, top in zip(tokens, logprobs["token_logprobs"], tops, strict=True)
    ]


def _fitted(places: list[dict[str, Any]], text: str, request: Request) -> tuple[Token, ...]:
    if len(places) > request.sampling.max_tokens + SPARE_TOKENS:
        raise TransientError("more tokens than max_tokens")
    last = places[-1]["token"]
    end_mark = None if text.endswith(last) else last
    most = request.sampling.top_logprobs + 1  # /completions adds the token itself
    tokens = [
        Token(
            token=place["token"],
            logprob=_logprob(place["logprob"]),
            top=tuple(_alternatives((place.get("top_logprobs") or ())[:most], end_mark)),
        )
        for place in places
    ]
    spelled = [place.get("bytes") for place in places]
    return align_tokens(tokens, [raw if isinstance(raw, list) else None for raw in spelled], text)


def _alternatives(top: Iterable[dict[str, Any]], end_mark: str | None) -> Iterable[Alternative]:
    """The likeliest tokens of a place; marks (of the end, of a turn) are no text, so empty."""
    for other in top:
        token = other["token"]
        is_mark = token == end_mark or MARK.fullmatch(token)
        yield Alternative(token="" if is_mark else token, logprob=_logprob(other["logprob"]))


def _logprob(value: float) -> float:
    """A finite log-probability; rounding may put certain tokens a little above zero."""
    if math.isnan(value):
        raise ValueError("a log-probability is no number")
    return max(LOWEST_LOGPROB, min(0.0, value))


def _lengths(total: int | None, choices: list[dict[str, Any]]) -> list[int]:
    """Generated tokens of each choice: the call's total, shared out by what each one holds."""
    if total is not None and len(choices) == 1:
        return [total]
    held = [_held(choice) for choice in choices]
    if total is None:
        return held
    whole = sum(held) or 1
    shares = [total * part // whole for part in held]
    shares[0] += total - sum(shares)
    return shares


def _held(choice: dict[str, Any]) -> int:
    logprobs = choice.get("logprobs") or {}
    places = logprobs.get("content") or logprobs.get("tokens")
    if places:
        return len(places)
    message = choice.get("message") or {"content": choice.get("text")}
    said = (_joined(message.get(k)) for k in ("content", "reasoning_content", "reasoning"))
    return -(-sum(map(len, said)) // CHARS_A_TOKEN)
