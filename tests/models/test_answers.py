"""What a server says is checked before anything is stored or counted."""

import json
from pathlib import Path
from typing import Any

import pytest

from synthmill.models.completion import Completion
from synthmill.models.errors import TransientError
from synthmill.models.openai_api.answer import from_chat, from_embeddings, from_text
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Request, Sampling
from synthmill.schemas.messages import user
from synthmill.testing import ScriptedServer
from tests.models.prompts import Say
from tests.models.roles import role

SENT_BYTES = 400
SAMPLING = Sampling(max_tokens=10, top_logprobs=2)
REQUEST = Request(model="m", messages=(user("one two three four"),), n=2, sampling=SAMPLING)


def read(choice: dict[str, Any], **fields: Any) -> Completion:
    body = json.dumps({"choices": [choice], **fields}).encode()
    return from_chat(REQUEST, body, SENT_BYTES)[0]


def said(content: Any, **fields: Any) -> dict[str, Any]:
    return {"index": 0, "message": {"role": "assistant", "content": content, **fields}}


@pytest.mark.parametrize("count", [10**18, 10**30, -1, "7", 7.5, None, [7]])
def test_token_counts_that_cannot_be_are_estimated(count: Any) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": count}
    completion = read(said("twelve chars"), usage=usage)
    assert (completion.prompt_tokens, completion.completion_tokens) == (4, 3)


def test_token_counts_that_can_be_are_taken() -> None:
    """Also those of hidden thinking, which is longer than the text."""
    usage = {"prompt_tokens": 390, "completion_tokens": 20}
    completion = read(said("x"), usage=usage)
    assert (completion.prompt_tokens, completion.completion_tokens) == (390, 20)


async def test_a_count_without_bound_reaches_no_cache_and_no_sum(tmp_path: Path) -> None:
    class Boasting(ScriptedServer):
        def _completion(self, *args: Any) -> dict[str, Any]:
            usage = {"prompt_tokens": 10**18, "completion_tokens": 10**18}
            return super()._completion(*args) | {"usage": usage}

    with Boasting() as server:
        for _ in range(2):
            specs = {"default": role(server.url)}
            async with ModelRegistry(specs, cache=tmp_path / "cache") as models:
                await models.client().generate(Say(topic="x"), seed=1)
                assert models.usage["say"].asked.tokens < 100
    assert server.answered.total() == 1


LOGPROBS = {"token": "a", "logprob": -0.5, "top_logprobs": []}


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        (said("x" * 10_000), "answer longer than max_tokens"),
        (said("x", reasoning_content="y" * 10_000), "answer longer than max_tokens"),
        (said(None, tool_calls=[{"function": "x" * 10_000}]), "answer longer than max_tokens"),
        (said(None, tool_calls=[{}] * 1000), "too many tool calls"),
        (said(None, tool_calls=["call"]), "too many tool calls"),
        (said({"text": "x"}), "not a completion"),
        ({"message": "x"}, "not a completion"),
        (said("a") | {"logprobs": {"content": [LOGPROBS] * 500}}, "more tokens than max_tokens"),
        (said("a") | {"logprobs": {"content": [LOGPROBS | {"bytes": [999]}]}}, "not a completion"),
        (
            said("a") | {"logprobs": {"content": [LOGPROBS | {"logprob": float("nan")}]}},
            "not a completion",
        ),
        (said("a") | {"finish_reason": "error"}, "broken off by the server"),
    ],
)
def test_answers_beyond_what_was_asked_for_are_failures(choice: dict[str, Any], kind: str) -> None:
    with pytest.raises(TransientError, match=kind):
        read(choice)


def test_lists_are_cut_to_what_was_asked_for() -> None:
    choices = [said(f"{i}") | {"index": i} for i in range(1000)]
    answers = from_chat(REQUEST, json.dumps({"choices": choices}).encode(), SENT_BYTES)
    assert [answer.text for answer in answers] == ["0", "1"]
    top = [{"token": f"t{i}", "logprob": -1.0 - i} for i in range(1000)]
    place = {"token": "a", "logprob": -0.5, "top_logprobs": top, "bytes": 10**12}
    (token,) = read(said("a") | {"logprobs": {"content": [place]}}).tokens
    assert len(token.top) <= SAMPLING.top_logprobs + 1


def test_log_probabilities_are_finite_and_not_positive() -> None:
    places = [LOGPROBS | {"logprob": value} for value in (float("-inf"), 1e-7, -0.5)]
    tokens = read(said("aaa") | {"logprobs": {"content": places}}).tokens
    assert [token.logprob for token in tokens] == [-9999.0, 0.0, -0.5]


def test_an_error_in_a_good_answer_is_told() -> None:
    body = b'{"error": {"message": "the provider is overloaded"}}'
    with pytest.raises(TransientError, match="the provider is overloaded"):
        from_chat(REQUEST, body, SENT_BYTES)
    with pytest.raises(TransientError):
        from_text(REQUEST, b'{"choices": [{"text": ["x"]}]}', SENT_BYTES)
    with pytest.raises(TransientError):
        from_chat(REQUEST, b"[" * 100_000, SENT_BYTES)


@pytest.mark.parametrize(
    ("message", "text", "reasoning"),
    [
        (said("9", reasoning_content="4 + 5"), "9", "4 + 5"),
        (said("9", reasoning="4 + 5"), "9", "4 + 5"),
        (said("<think>\n4 + 5\n</think>\n\n9"), "9", "4 + 5"),
        (said("4 + 5\n</think>\n9"), "9", "4 + 5"),
        (said("<thought>4 + 5</thought>9"), "9", "4 + 5"),
        (said("[THINK]4 + 5[/THINK]9"), "9", "4 + 5"),
        (said("<think>4 + 5, no end"), "", "4 + 5, no end"),
        (said("<think>4 + 5</think>9", reasoning_content="4 + 5"), "9", "4 + 5"),
        (said("9 < 10, I think"), "9 < 10, I think", None),
    ],
)
def test_thinking_is_kept_apart(message: dict[str, Any], text: str, reasoning: str | None) -> None:
    completion = read(message)
    assert (completion.text, completion.reasoning) == (text, reasoning)


def test_tokens_of_the_thinking_are_left_out() -> None:
    pieces = ["<think>", "4", "</think>", "9", "!"]
    places = [LOGPROBS | {"token": piece} for piece in pieces]
    tokens = read(said("".join(pieces)) | {"logprobs": {"content": places}}).tokens
    assert [token.token for token in tokens] == ["9", "!"]


def test_vectors_are_checked() -> None:
    data = [{"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [1.0, 0.0]}]
    body = {"data": data, "usage": {"prompt_tokens": 8}}
    first, second = from_embeddings(json.dumps(body).encode(), ["aa", "bbbb"])
    assert (first.vector.tolist(), second.vector.tolist()) == ([1.0, 0.0], [0.0, 2.0])
    assert first.tokens + second.tokens == 8
    for wrong in ([[1.0], [1.0, 2.0]], [[1.0]], [[1.0], [float("inf")]], [[1.0], ["x"]]):
        items = [{"index": i, "embedding": vector} for i, vector in enumerate(wrong)]
        with pytest.raises(TransientError):
            from_embeddings(json.dumps({"data": items}).encode(), ["a", "b"])
