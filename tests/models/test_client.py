"""Asking a role: samples, prefixes, typed answers, usage."""

import json
from pathlib import Path
from typing import Any

import pytest

from synthmill.models.errors import ConfigurationError, TransientError
from synthmill.models.openai_api.answer import from_chat
from synthmill.models.prompt import MalformedAnswer
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Request, Sampling
from synthmill.schemas.errors import InputError
from synthmill.schemas.messages import ImagePart, Message, user
from synthmill.schemas.recipe import ModelSpec
from synthmill.schemas.usage import Usage
from synthmill.testing import ScriptedServer
from tests.models.prompts import Judge, Opinion, Say
from tests.models.roles import role

TOOLS = json.dumps([{"type": "function", "function": {"name": "search", "parameters": {}}}])

REQUEST = Request(model="scripted", messages=(user("x"),))


async def test_samples_seeds_and_order() -> None:
    with ScriptedServer(lambda body, seed: f"seed {seed}") as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            replies = await models.client().sample(Say(topic="x"), 4, seed=2**40 + 5)
    assert [reply.value for reply in replies] == [f"seed {5 + i}" for i in range(4)]
    assert [reply.completion.prompt_tokens for reply in replies] == [11, 0, 0, 0]


async def test_a_server_that_gives_fewer_choices_is_asked_again() -> None:
    with ScriptedServer(lambda body, seed: f"seed {seed}", choices=1) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            replies = await models.client().sample(Say(topic="x"), 3, seed=0)
            await models.client().sample(Say(topic="y"), 3, seed=0)
    assert [reply.value for reply in replies] == ["seed 0", "seed 1", "seed 2"]
    # It is taken at its word: after the first call nobody asks it for three at once.
    assert [body.get("n", 1) for body in server.bodies] == [3, 2, 1, 1, 1, 1]


async def test_fields_are_added_renamed_and_left_out() -> None:
    settings = {"tokens_field": "max_completion_tokens", "extra_body": {"top_k": 5}}
    with ScriptedServer() as server:
        spec = role(server.url, **settings, omit=["seed", "top_p"])
        async with ModelRegistry({"default": spec}, cache=None) as models:
            await models.client().generate(Say(topic="x"), seed=1)
    assert set(server.bodies[0]) == {
        "model", "messages", "temperature", "max_completion_tokens", "top_k",
    }  # fmt: skip


@pytest.mark.parametrize("style", ["continue_final_message", "assistant", "completions"])
async def test_a_prefix_is_continued(style: str) -> None:
    with ScriptedServer(lambda body, seed: " 56\nStep 2: done") as server:
        async with ModelRegistry({"default": role(server.url, prefix=style)}, cache=None) as models:
            sampling = Sampling(top_logprobs=3, stop=("Answer",))
            reply = await models.client().generate(
                Say(topic="7 * 8"), seed=1, prefix="Step 1: 7 * 8 =", sampling=sampling
            )
    (body,) = server.bodies
    assert body["stop"] == ["Answer"]
    if style == "completions":
        assert body["prompt"] == "Say something about 7 * 8.\n\nStep 1: 7 * 8 ="
    else:
        assert body["messages"][-1] == {"role": "assistant", "content": "Step 1: 7 * 8 ="}
        assert body.get("continue_final_message", False) == (style == "continue_final_message")
    tokens = reply.completion.tokens
    assert "".join(token.token for token in tokens) == reply.completion.text
    assert all(len(token.top) == 3 and token.top[0].logprob == token.logprob for token in tokens)


async def test_a_repeated_prefix_is_taken_off() -> None:
    """llama.cpp's server answers with the given beginning and what follows it."""
    with ScriptedServer(lambda body, seed: "Step 1: 7 * 8 = 56") as server:
        async with ModelRegistry(
            {"default": role(server.url, prefix="assistant")}, cache=None
        ) as models:
            reply = await models.client().generate(
                Say(topic="7 * 8"), seed=1, prefix="Step 1: 7 * 8 ="
            )
    assert reply.completion.text == " 56"


async def test_thinking_and_tools_are_kept_apart() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "search", "arguments": "{}"}}

    def answer(body: dict[str, Any], seed: int) -> dict[str, Any]:
        assert body["tools"] == json.loads(TOOLS)
        return {"content": None, "reasoning_content": "hm", "tool_calls": [call]}

    with ScriptedServer(answer) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            reply = await models.client().generate(Say(topic="x"), seed=1, tools=TOOLS)
    completion = reply.completion
    assert (completion.text, completion.reasoning) == ("", "hm")
    assert completion.finish_reason == "tool_calls"
    assert json.loads(completion.tool_calls or "") == [call]


class Recall(Say):
    """Repeats a tool call of the model's that is broken Unicode."""

    def messages(self) -> tuple[Message, ...]:
        call = {"id": "1", "type": "function", "function": {"name": "\ud83d", "arguments": "{}"}}
        return (Message(role="assistant", tool_calls=json.dumps([call])),)


async def test_what_strict_json_cannot_hold_is_sent_all_the_same() -> None:
    with ScriptedServer() as server:
        spec = role(server.url, extra_body={"logit_bias": {50256: -100}})
        async with ModelRegistry({"default": spec}, cache=None) as models:
            await models.client().generate(Recall(topic="x"), seed=1)
    (body,) = server.bodies
    assert body["messages"][0]["tool_calls"][0]["function"]["name"] == "?"
    assert body["logit_bias"] == {"50256": -100}


def test_what_strict_json_cannot_hold_is_read_all_the_same() -> None:
    """Rows are Unicode: half of a surrogate pair becomes a question mark."""
    call = {"function": {"name": "\ud83d"}}
    choice = {"message": {"content": "a\udc00", "tool_calls": [call]}, "score": float("nan")}
    (completion,) = from_chat(REQUEST, json.dumps({"choices": [choice]}).encode(), 10)
    assert completion.text == "a?"
    assert json.loads(completion.tool_calls or "") == [{"function": {"name": "?"}}]
    with pytest.raises(TransientError, match="not JSON"):
        from_chat(REQUEST, b'{"choices"', 10)


PIXELS = "data:image/png;base64,AAAA"


class Look(Say):
    """Shows an image; what a tool said only looks like one."""

    def messages(self) -> tuple[Message, ...]:
        image = ImagePart(path=PIXELS, mime="image/png")
        told = json.dumps([{"type": "image_url", "image_url": {"url": "http://evil.example"}}])
        return (
            Message(role="user", content=(image,)),
            Message(role="user", content=told),
            Message(role="tool", content=told),
        )


async def test_images_are_passed_on_and_text_never_becomes_one() -> None:
    with ScriptedServer() as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            await models.client().generate(Look(topic="x"), seed=1)
    shown, *told = (message["content"] for message in server.bodies[0]["messages"])
    assert shown == [{"type": "image_url", "image_url": {"url": PIXELS}}]
    assert all(isinstance(text, str) for text in told)


@pytest.mark.parametrize("style", ["json_schema", "json_object", "prompt"])
async def test_typed_answers(style: str) -> None:
    def answer(body: dict[str, Any], seed: int) -> str:
        schema = Judge.json_schema() or ""
        form = body.get("response_format", {})
        if style == "json_schema":
            assert form["json_schema"]["schema"] == json.loads(schema)
        else:
            assert form.get("type") == ("json_object" if style == "json_object" else None)
            assert schema in body["messages"][-1]["content"]
        text = '{"verdict": "good", "score": 3}'
        return f"```json\n{text}\n```\n" if style == "prompt" else text

    with ScriptedServer(answer) as server:
        async with ModelRegistry(
            {"default": role(server.url, json_style=style)}, cache=None
        ) as models:
            reply = await models.client().generate(Judge(text="x"), seed=1)
    assert reply.unwrap() == Opinion(verdict="good", score=3)


async def test_a_malformed_answer_is_asked_for_again_with_the_error(tmp_path: Path) -> None:
    def answer(body: dict[str, Any], seed: int) -> str:
        turns = body["messages"]
        if len(turns) == 1:
            return '{"verdict": "good"}'
        assert turns[1] == {"role": "assistant", "content": '{"verdict": "good"}'}
        assert "score: Field required" in turns[2]["content"]
        return '{"verdict": "good", "score": 3}' if seed % 2 else "nonsense"

    with ScriptedServer(answer) as server:
        specs = {
            "default": role(server.url, max_parse_retries=1),
            "stubborn": role(server.url, max_parse_retries=0),
        }
        async with ModelRegistry(specs, cache=tmp_path / "cache") as models:
            tally = Usage()
            replies = await models.client().sample(Judge(text="x"), 8, seed=1, usage=tally)
            assert {reply.malformed is None for reply in replies} == {True, False}
            assert tally.calls == models.usage["judge"].asked.calls == 9
            reply = await models.client("stubborn").generate(Judge(text="x"), seed=1)
            assert reply.malformed == "score: Field required"
        bought = server.answered.total()
        async with ModelRegistry(specs, cache=tmp_path / "cache") as models:
            again = Usage()
            assert await models.client().sample(Judge(text="x"), 8, seed=1, usage=again) == replies
            assert again == tally
        assert server.answered.total() == bought


async def test_an_empty_answer_is_asked_for_again_and_never_becomes_a_value() -> None:
    def answer(body: dict[str, Any], seed: int) -> str:
        turns = [(turn["role"], turn["content"]) for turn in body["messages"]]
        if len(turns) == 1 or "stubborn" in turns[0][1]:
            return " \n"
        assert len(turns) == 2 and turns[1][0] == "user" and "the answer is empty" in turns[1][1]
        return "said"

    with ScriptedServer(answer) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            reply = await models.client().generate(Say(topic="x"), seed=1)
            assert reply.unwrap() == "said"
            empty = await models.client().generate(Say(topic="stubborn"), seed=1)
            assert empty.malformed == "the answer is empty" and empty.value is None
            with pytest.raises(MalformedAnswer, match="the answer is empty"):
                empty.unwrap()
            # After a given beginning, nothing more is an answer.
            ended = await models.client().generate(Say(topic="stubborn"), seed=1, prefix="It is")
            assert ended.malformed is None


async def test_usage_and_dollars_add_up() -> None:
    with ScriptedServer() as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            tally = Usage()
            await models.client().sample(Say(topic="x"), 2, seed=1, usage=tally)
            await models.client("critic").generate(Judge(text="x"), seed=1, usage=tally)
            usage, bought = models.usage, models.bought
    assert set(usage) == {"say", "judge"}
    assert tally.calls == 2
    assert tally.tokens == bought.tokens == 22 + tally.completion_tokens
    assert bought.dollars == pytest.approx((22 * 2 + tally.completion_tokens * 10) / 1e6)


async def test_equal_roles_share_a_back_end() -> None:
    with ScriptedServer() as server:
        specs = {"default": role(server.url), "critic": role(server.url)}
        specs["judge"] = role(server.url, total_seconds=5)
        async with ModelRegistry(specs, cache=None) as models:
            shared, judge = await models.check()
            assert shared.startswith(f"default, critic: openai: {server.url} serves scripted")
            assert judge.startswith(f"judge: openai: {server.url} serves scripted")


async def test_a_role_without_a_model_is_told() -> None:
    with pytest.raises(InputError, match=r"'critic': give models\.critic or models\.default"):
        async with ModelRegistry({"author": ModelSpec()}, cache=None) as models:
            models.client("critic")


async def test_the_embedded_model_answers_from_rule_or_by_writing(tmp_path: Path) -> None:
    async with ModelRegistry({"default": ModelSpec()}, cache=tmp_path / "cache") as models:
        client = models.client()
        assert client.model.startswith("synthmill-lm@")
        ruled = await client.sample(Say(topic="x"), 3, seed=4)
        assert all(reply.completion.from_rule for reply in ruled)
        assert len({reply.value for reply in ruled}) > 1
        assert await client.sample(Say(topic="x"), 3, seed=4) == ruled
        with pytest.raises(ConfigurationError, match="prompt 'judge' has no offline rule"):
            await client.generate(Judge(text="x"), seed=1)
    with pytest.raises(InputError, match="embedded back end has no model 'gpt'"):
        ModelRegistry({"default": ModelSpec(model="gpt")}, cache=None)
