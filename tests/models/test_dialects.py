"""Servers that understand less than all of the API are used as far as they go, and said so."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from synthmill.models.backend import model_identity
from synthmill.models.errors import RequestRejected
from synthmill.models.openai_api.presets import PRESETS
from synthmill.models.openai_api.settings import OpenAISettings
from synthmill.models.registry import ModelRegistry
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import ModelSpec
from synthmill.testing import ScriptedServer
from tests.models.prompts import Judge, Opinion, Say
from tests.models.roles import role

Refuses = Callable[[dict[str, Any]], str | None]
USUAL = "answered with a text, an object of a JSON schema, two samples"
OPINION = '{"verdict": "good", "score": 3}'


def refuses(words: str, *fields: str) -> Refuses:
    """Refuses every body that has all the fields."""
    return lambda body: words if all(field in body for field in fields) else None


def refuses_styles(*styles: str, words: str = "bad request") -> Refuses:
    return lambda body: words if body.get("response_format", {}).get("type") in styles else None


async def judged(server: ScriptedServer, times: int = 2, **settings: Any) -> tuple[str, str, int]:
    """The status and the number of calls after some typed answers, and the line of a check."""
    async with ModelRegistry({"default": role(server.url, **settings)}, cache=None) as models:
        for seed in range(times):
            reply = await models.client().generate(Judge(text="x"), seed=seed)
            assert reply.unwrap() == Opinion(verdict="good", score=3)
        status, asked = models.status() or "", len(server.asked)
        return status, (await models.check())[0], asked


@pytest.mark.parametrize("words", ["response_format is not supported", "bad request"])
async def test_a_refused_schema_steps_down_and_is_not_tried_again(words: str) -> None:
    server = ScriptedServer(
        lambda body, seed: OPINION, refuses=refuses_styles("json_schema", words=words)
    )
    with server:
        status, check, asked = await judged(server)
    for line in (status, check):
        assert f"{server.url}: json_schema is refused: json_object is sent" in line
    assert asked == 3  # two forms of the first question, one of the second
    assert [body["response_format"]["type"] for body in server.bodies[:2]] == ["json_object"] * 2
    assert (Judge.json_schema() or "") in server.bodies[0]["messages"][-1]["content"]


async def test_a_server_without_any_json_mode_is_told_the_schema_in_the_prompt() -> None:
    with ScriptedServer(
        lambda body, seed: OPINION, refuses=refuses("no such field", "response_format")
    ) as server:
        status, _, _ = await judged(server)
    assert "json_object is refused: the schema is in the prompt" in status
    assert all("response_format" not in body for body in server.bodies)


@pytest.mark.parametrize(
    "words", ["n_cmpl cannot be greater than the number of slots", "'n' must be 1", "bad request"]
)
async def test_a_server_that_refuses_several_samples_is_asked_for_one_at_a_time(words: str) -> None:
    with ScriptedServer(lambda body, seed: f"seed {seed}", refuses=refuses(words, "n")) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            replies = await models.client().sample(Say(topic="x"), 4, seed=0)
            await models.client().sample(Say(topic="y"), 4, seed=0)
            assert "several samples a call are refused: one is asked" in (models.status() or "")
    assert [reply.value for reply in replies] == [f"seed {i}" for i in range(4)]
    assert len(server.asked) == 1 + 8


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("Unsupported value: 'temperature' does not support 0.6 with this model", "temperature"),
        ('[{"type": "extra_forbidden", "loc": ["body", "seed"]}]', "seed"),
        ("`top_p` cannot be given with this model", "top_p"),
    ],
)
async def test_refused_sampling_fields_are_left_out_with_a_notice(words: str, field: str) -> None:
    with ScriptedServer(refuses=refuses(words, field)) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            await models.client().generate(Say(topic="x"), seed=1)
            assert f"{field} is refused: it is left out" in (models.status() or "")
    assert field not in server.bodies[0]


async def test_the_other_name_of_the_token_bound_is_found() -> None:
    words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    with ScriptedServer(refuses=refuses(words, "max_tokens")) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            await models.client().generate(Say(topic="x"), seed=1)
    assert server.bodies[0]["max_completion_tokens"] == 1024


async def test_a_prefix_goes_as_a_plain_turn_where_the_flag_is_refused() -> None:
    words = "continue_final_message: Extra inputs are not permitted"
    with ScriptedServer(refuses=refuses(words, "continue_final_message")) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            await models.client().generate(Say(topic="x"), seed=1, prefix="Well,")
    assert server.bodies[0]["messages"][-1] == {"role": "assistant", "content": "Well,"}
    assert "add_generation_prompt" not in server.bodies[0]


async def test_a_hopeless_request_fails_in_the_words_of_the_server_and_teaches_nothing() -> None:
    words = "This model's maximum context length is 4096 tokens: 'max_tokens' is too large"

    def too_long(body: dict[str, Any]) -> str | None:
        return words if "long" in str(body["messages"]) else None

    with ScriptedServer(lambda body, seed: OPINION, refuses=too_long) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            await models.client().generate(Judge(text="short"), seed=1)
            with pytest.raises(RequestRejected, match="HTTP 400: This model's maximum context"):
                await models.client().generate(Judge(text="long"), seed=1)
            assert len(server.asked) == 2  # json_schema was answered before, so it is not blamed
            assert models.status() is None
            await models.client().generate(Judge(text="brief"), seed=1)
    assert server.bodies[-1]["response_format"]["type"] == "json_schema"


async def test_a_check_tries_each_form_and_tells_what_is_refused() -> None:
    def refused(body: dict[str, Any]) -> str | None:
        if body.get("response_format", {}).get("type") == "json_schema":
            return "response_format: json_schema is not supported"
        return "only one completion choice is supported" if body.get("n", 1) > 1 else None

    with ScriptedServer(refuses=refused) as server:
        async with ModelRegistry({"default": role(server.url)}, cache=None) as models:
            (line,) = await models.check()
    assert line == (
        f"default: openai: {server.url} serves scripted, {USUAL}; "
        f"{server.url}: json_schema is refused: "
        "json_object is sent, several samples a call are refused: one is asked"
    )
    assert all(body["max_tokens"] <= 32 for body in server.bodies)


async def test_a_check_makes_the_calls_that_are_needed() -> None:
    def refused(body: dict[str, Any]) -> str | None:
        return "tools are not served here" if "tools" in body else None

    with ScriptedServer(refuses=refused) as server:
        specs = {"default": role(server.url), "teacher": role(server.url, max_concurrency=7)}
        async with ModelRegistry(specs, cache=None) as models:
            # The role `author` falls back to `default`, which is asked once for both.
            (line,) = await models.check({"default": ["continuation"], "author": ["json", "json"]})
            assert "answered with an object of a JSON schema, a continuation" in line
            schema, continued = server.bodies
            assert schema["response_format"] and continued["messages"][-1]["role"] == "assistant"
            with pytest.raises(InputError, match=r"model teacher: .*tools are not served here"):
                await models.check({"teacher": ["tools"]})
            assert await models.check({}) == []
        async with ModelRegistry({"judge": role(server.url)}, cache=None) as models:
            with pytest.raises(InputError, match=r"give models\.author or models\.default"):
                await models.check({"author": ["text"]})


async def test_a_check_says_that_no_log_probabilities_came() -> None:
    with ScriptedServer() as server:
        without = role(server.url, extra_body={"logprobs": False})
        specs = {"default": role(server.url), "without": without}
        async with ModelRegistry(specs, cache=None) as models:
            given, line = await models.check({name: ["logprobs"] for name in specs})
    assert given.endswith("answered with log-probabilities")
    assert line.endswith("without the log-probabilities that were asked for")


async def test_a_check_of_an_embedding_model_asks_for_a_vector() -> None:
    with ScriptedServer() as server:
        async with ModelRegistry({"embedding": role(server.url)}, cache=None) as models:
            (line,) = await models.check()
            assert line.endswith("serves scripted, answered with a vector")
            vectors = await models.client("embedding").embed(["a", "bb", "a"])
    assert vectors.shape == (3, 2)
    assert (vectors[0] == vectors[2]).all()
    assert not server.bodies


async def test_rows_and_cache_keys_carry_the_given_name() -> None:
    with ScriptedServer(model="/models/q4.gguf") as server:
        spec = role(server.url).model_copy(update={"model": "/models/q4.gguf", "name": "qwen"})
        async with ModelRegistry({"default": spec}, cache=None) as models:
            reply = await models.client().generate(Say(topic="x"), seed=1)
            assert reply.model == models.client().model == "qwen"
            assert f"{server.url} serves /models/q4.gguf, answered" in (await models.check())[0]
    assert server.bodies[0]["model"] == "/models/q4.gguf"


def test_back_ends_say_which_settings_change_answers() -> None:
    def identity(backend: str, **settings: Any) -> str:
        spec = ModelSpec(backend=backend, model="m", settings=settings)
        return json.dumps(model_identity("default", spec))

    assert identity("vllm", path="/a") != identity("vllm", path="/b")
    assert identity("vllm", dtype="float16") != identity("vllm")
    assert identity("vllm", replicas=2, startup_seconds=5) == identity("vllm")
    one, other = "http://one/v1", "http://other/v1"
    assert identity("openai", base_url=one) == identity("openai", base_url=other)
    assert identity("openai", base_url=one, thinking=True) != identity("openai", base_url=one)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_settings(name: str) -> None:
    settings = OpenAISettings.model_validate({"preset": name})
    preset = PRESETS[name]
    assert settings.base_url == (preset.base_url,)
    assert settings.api_key_env == preset.key
    given = OpenAISettings.model_validate(
        {"preset": name, "base_url": "http://x/v1", "max_samples": 3, "api_key_env": None}
    )
    assert (given.base_url, given.max_samples, given.api_key_env) == (("http://x/v1",), 3, None)
    if preset.thinking is not None:
        on, off = preset.thinking
        for switch, body in ((True, on), (False, off)):
            made = OpenAISettings.model_validate(
                {"preset": name, "thinking": switch, "extra_body": {"top_k": 5}}
            )
            assert made.extra_body == {**body, "top_k": 5}


def test_what_is_wrong_with_a_preset_is_told() -> None:
    def load(**settings: Any) -> None:
        spec = ModelSpec(backend="openai", model="m", settings=settings)
        ModelRegistry({"default": spec}, cache=None)

    with pytest.raises(InputError, match=r"no preset .olama. .did you mean .ollama."):
        load(preset="olama")
    with pytest.raises(InputError, match="no switch for thinking is known of lm_studio"):
        load(preset="lm_studio", thinking=True)
    with pytest.raises(InputError, match="base_url"):
        load(thinking=True)
