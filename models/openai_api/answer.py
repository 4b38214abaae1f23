"""What OpenAI-compatible servers answer, as completions.

Answers are read as they come and checked by the types they become: whatever does not fit is a
`TransientError`, which the caller counts and tries again.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from synthmill.models.completion import Alternative, Completion, FinishReason, Token
from synthmill.models.errors import TransientError
from synthmill.models.openai_api.align_tokens import matched

CHARS_A_TOKEN = 4  # where a server counts nothing, so that budgets do not run blind
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


def from_chat(body: bytes, n: int) -> list[Completion]:
    """At most `n` completions in a body of `/chat/completions`.

    Raises:
        TransientError: the body is not such an answer, or the server broke off.
    """
    return _read(body, lambda answer: _completions(answer, n, _from_message))


def from_text(body: bytes, n: int) -> list[Completion]:
    """At most `n` completions in a body of `/completions`; raises as `from_chat` does."""
    return _read(body, lambda answer: _completions(answer, n, _from_text))


def served_models(body: bytes) -> list[str]:
    """Names in a body of `/models`; raises TransientError when it is none."""
    return _read(body, lambda answer: [str(model["id"]) for model in answer["data"]])


def _read(body: bytes, meaning: Callable[[Any], Any]) -> Any:
    answer = _parsed(body)
    try:
        return meaning(answer)
    # pydantic's ValidationError is a ValueError.
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise TransientError("not a completion") from error


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
    answer: dict[str, Any], n: int, read: Callable[[Any, int, int], Completion]
) -> list[Completion]:
    choices = answer["choices"]
    if len(choices) > 1:
        choices = sorted(choices, key=lambda choice: choice["index"])[:n]
    if any(choice.get("finish_reason") in BROKEN_OFF for choice in choices):
        raise TransientError("broken off by the server")
    usage = answer.get("usage") or {}
    lengths = _lengths(usage.get("completion_tokens"), choices)
    # A call's prompt is paid for once, whatever the number of samples: it goes to the first.
    prompts = [usage.get("prompt_tokens") or 0] + [0] * (len(choices) - 1)
    completions = [
        read(choice, prompt, length)
        for choice, prompt, length in zip(choices, prompts, lengths, strict=True)
    ]
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    if completions and isinstance(cached, int) and cached > 0:
        first = completions[0]
        cached = min(cached, first.prompt_tokens)
        completions[0] = first.model_copy(update={"cached_tokens": cached})
    return completions


def _from_message(choice: dict[str, Any], prompt_tokens: int, length: int) -> Completion:
    message = choice["message"]
    text = _joined(message.get("content"))
    calls = message.get("tool_calls")
    places = (choice.get("logprobs") or {}).get("content")
    return Completion(
        text=text,
        finish_reason=FINISH.get(choice.get("finish_reason"), "tool_calls" if calls else "stop"),
        tokens=_fitted(places, text) if places else (),
        reasoning=message.get("reasoning_content") or message.get("reasoning"),
        tool_calls=json.dumps(calls) if calls else None,
        prompt_tokens=prompt_tokens,
        completion_tokens=length,
    )


def _from_text(choice: dict[str, Any], prompt_tokens: int, length: int) -> Completion:
    text = choice["text"]
    logprobs = choice.get("logprobs")
    return Completion(
        text=text,
        finish_reason=FINISH.get(choice.get("finish_reason"), "stop"),
        tokens=_fitted(_as_places(logprobs), text) if logprobs else (),
        prompt_tokens=prompt_tokens,
        completion_tokens=length,
    )


def _joined(content: Any) -> Any:
    """The text among content parts: some servers answer in parts, or with none."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content)
    return content or ""


def _as_places(logprobs: dict[str, Any]) -> list[dict[str, Any]]:
    """The log-probabilities of `/completions` in the form that chat answers have."""
    tokens = logprobs["tokens"]
    tops = logprobs.get("top_logprobs") or [None] * len(tokens)
    return [
        {
            "token": token,
            "logprob": logprob or 0.0,  # the first token of an echoed prompt has none
            "top_logprobs": [
                {"token": name, "logprob": value}
                for name, value in sorted((top or {}).items(), key=lambda pair: -pair[1])
            ],
        }
        for token, logprob, top in zip(tokens, logprobs["token_logprobs"], tops, strict=True)
    ]


def _fitted(places: list[dict[str, Any]], text: str) -> tuple[Token, ...]:
    last = places[-1]["token"]
    end_mark = None if text.endswith(last) else last
    tokens = [
        Token(
            token=place["token"],
            logprob=place["logprob"],
            top=tuple(_alternatives(place.get("top_logprobs") or (), end_mark)),
        )
        for place in places
    ]
    return matched(tokens, [place.get("bytes") for place in places], text)


def _alternatives(top: Iterable[dict[str, Any]], end_mark: str | None) -> Iterable[Alternative]:
    """The likeliest tokens of a place; marks (of the end, of a turn) are no text, so empty."""
    for other in top:
        token = other["token"]
        is_mark = token == end_mark or MARK.fullmatch(token)
        yield Alternative(token="" if is_mark else token, logprob=other["logprob"])


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
