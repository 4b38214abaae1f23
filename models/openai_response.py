"""What OpenAI-compatible servers answer, as completions."""

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from models.token_text import matched
from models.transport import Trouble
from models.wire import Alternative, Completion, FinishReason, Token

CHARS_A_TOKEN = 4  # where a server counts nothing, so that budgets do not run blind
FINISH: dict[str | None, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
}
BROKEN_OFF = frozenset({"abort", "error"})


def _joined(content: Any) -> Any:
    """The text among content parts; some servers answer in parts."""
    if isinstance(content, list):
        return "".join(p.get("text") or "" for p in content if isinstance(p, dict))
    return content


Count = Annotated[int, Field(ge=0, le=10**9)]
Text = Annotated[str | None, BeforeValidator(_joined)]


class _Place(BaseModel):
    token: str
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list["_Place"] = []


class _ChatLogprobs(BaseModel):
    content: list[_Place] | None = None


class _TextLogprobs(BaseModel):
    tokens: list[str] = []
    token_logprobs: list[float | None] = []
    top_logprobs: list[dict[str, float] | None] | None = None


class _Spoken(BaseModel):
    content: Text = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class _Choice(BaseModel):
    index: int = 0
    finish_reason: str | None = None


class _ChatChoice(_Choice):
    message: _Spoken
    logprobs: _ChatLogprobs | None = None


class _TextChoice(_Choice):
    text: str
    logprobs: _TextLogprobs | None = None


class _Usage(BaseModel):
    prompt_tokens: Count = 0
    completion_tokens: Count | None = None


class _ChatAnswer(BaseModel):
    choices: list[_ChatChoice] = Field(min_length=1)
    usage: _Usage | None = None


class _TextAnswer(BaseModel):
    choices: list[_TextChoice] = Field(min_length=1)
    usage: _Usage | None = None


def from_chat(body: bytes, n: int) -> list[Completion]:
    """At most `n` completions in a body of `/chat/completions`.

    Raises:
        Trouble: the body is not such an answer, or the server broke off.
    """
    answer = _parsed(_ChatAnswer, body)
    return _booked([_from_message(choice) for choice in _sorted(answer.choices, n)], answer.usage)


def from_text(body: bytes, n: int) -> list[Completion]:
    """At most `n` completions in a body of `/completions`; raises as `from_chat` does."""
    answer = _parsed(_TextAnswer, body)
    return _booked([_from_text(choice) for choice in _sorted(answer.choices, n)], answer.usage)


class _Model(BaseModel):
    id: str


class _ModelList(BaseModel):
    data: list[_Model]


def served_models(body: bytes) -> list[str]:
    """Names in a body of `/models`; raises Trouble when it is none."""
    return [model.id for model in _parsed(_ModelList, body).data]


def _parsed(kind: type[Any], body: bytes) -> Any:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        malformed = error.errors(include_input=False)[0]["type"] == "json_invalid"
        raise Trouble("not JSON" if malformed else "not a completion") from error


def _sorted(choices: list[Any], n: int) -> list[Any]:
    if any(choice.finish_reason in BROKEN_OFF for choice in choices):
        raise Trouble("broken off by the server")
    return sorted(choices, key=lambda choice: choice.index)[:n]


def _from_message(choice: _ChatChoice) -> Completion:
    spoken = choice.message
    text = spoken.content or ""
    places = (choice.logprobs and choice.logprobs.content) or []
    calls = json.dumps(spoken.tool_calls) if spoken.tool_calls else None
    return Completion(
        text=text,
        finish_reason=FINISH.get(choice.finish_reason, "tool_calls" if calls else "stop"),
        tokens=matched([_token(p) for p in places], [p.bytes for p in places], text),
        reasoning=spoken.reasoning_content or spoken.reasoning,
        tool_calls=calls,
        completion_tokens=len(places),
    )


def _from_text(choice: _TextChoice) -> Completion:
    found = choice.logprobs or _TextLogprobs()
    tops = found.top_logprobs or [None] * len(found.tokens)
    tokens = [
        Token(token=token, logprob=logprob or 0.0, top=_ranked(top))
        for token, logprob, top in zip(found.tokens, found.token_logprobs, tops, strict=False)
    ]
    return Completion(
        text=choice.text,
        finish_reason=FINISH.get(choice.finish_reason, "stop"),
        tokens=matched(tokens, [None] * len(tokens), choice.text),
        completion_tokens=len(tokens),
    )


def _token(place: _Place) -> Token:
    top = tuple(Alternative(token=t.token, logprob=t.logprob) for t in place.top_logprobs)
    return Token(token=place.token, logprob=place.logprob, top=top)


def _ranked(top: dict[str, float] | None) -> tuple[Alternative, ...]:
    pairs = sorted((top or {}).items(), key=lambda pair: -pair[1])
    return tuple(Alternative(token=token, logprob=logprob) for token, logprob in pairs)


def _booked(completions: list[Completion], usage: _Usage | None) -> list[Completion]:
    """Share a call's tokens out: prompt tokens to the first sample, the others by their length."""
    lengths = [
        c.completion_tokens or -(-len(c.text + (c.reasoning or "")) // CHARS_A_TOKEN)
        for c in completions
    ]
    if usage is not None and usage.completion_tokens is not None:
        lengths = _shares(usage.completion_tokens, lengths)
    prompts = [usage.prompt_tokens if usage else 0] + [0] * (len(completions) - 1)
    return [
        c.model_copy(update={"prompt_tokens": prompt, "completion_tokens": length})
        for c, prompt, length in zip(completions, prompts, lengths, strict=True)
    ]


def _shares(total: int, weights: list[int]) -> list[int]:
    """`total` in whole parts in proportion to `weights`; the parts add up."""
    whole = sum(weights) or 1
    shares = [total * weight // whole for weight in weights]
    shares[0] += total - sum(shares)
    return shares
