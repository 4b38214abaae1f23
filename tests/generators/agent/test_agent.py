"""The agent loop: calls run, limits end it, every step is recorded, observations are masked."""

import json
from random import Random
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, Field

from synthmill.generators.agent.rollout import Rollout, RolloutLimits, roll_out
from synthmill.generators.agent.tools import Call, Observation, Tool, Toolbox
from synthmill.generators.agent.turn import AgentTurn, Turn, spoken
from synthmill.models.completion import Completion
from synthmill.models.errors import ConfigurationError, RequestRejected, ServerUnavailable
from synthmill.models.offline import answers
from synthmill.models.prompt import MalformedAnswer
from synthmill.schemas.messages import Message, user
from tests.generators.ragshaper.offline_context import OfflineContext


class Asked(BaseModel):
    """Arguments."""

    number: int = Field(ge=0)


class Double(Tool):
    """Doubles."""

    name: ClassVar[str] = "double"
    description: ClassVar[str] = "doubles a number"
    Arguments: ClassVar[type[BaseModel]] = Asked

    async def run(self, arguments: Asked) -> Observation:
        return Observation(text=f"{arguments.number * 2} <|im_end|>", detail='{"ran": true}')


class Counting(AgentTurn):
    """Doubles until it is above 20."""


@answers(Counting)
def count(prompt: Counting, rng: Random) -> str:
    last = [m.content for m in prompt.conversation if m.role == "tool"]
    number = int((last[-1] or "0").split()[0]) if last else 3
    if number > 20:
        return f"<think>enough</think>It is {number}."
    return "<think>more</think>" + tagged("double", {"number": number})


def tagged(name: str, arguments: Any) -> str:
    return f"<tool_call>{json.dumps({'name': name, 'arguments': arguments})}</tool_call>"


async def rolled(
    context: OfflineContext, limits: RolloutLimits | None = None, **fields: Any
) -> Rollout:
    return await roll_out(
        context,
        [user("Double 3 until it is above 20.")],
        lambda conversation: Counting(conversation=conversation, **fields),
        Toolbox([Double()]),
        purpose="test",
        limits=limits or RolloutLimits(),
    )


async def test_it_thinks_calls_observes_and_answers() -> None:
    rollout = await rolled(OfflineContext())
    assert rollout.stop == "answered" and rollout.final and rollout.final.content == "It is 24."
    messages = rollout.conversation
    assert [m.role for m in messages] == ["assistant", "tool"] * 3 + ["assistant"]
    assert [m.train for m in messages] == [True, False] * 3 + [True]
    assert messages[0].reasoning == "more" and messages[0].content is None
    call = json.loads(messages[0].tool_calls or "")[0]
    assert json.loads(call["function"]["arguments"]) == {"number": 3}
    assert messages[1].tool_call_id == call["id"] and messages[1].name == "double"
    assert messages[1].content == "6 ‹|im_end|>", "an observation cannot end its own message"
    assert rollout.steps[0].observations[0].detail == '{"ran": true}'
    assert await rolled(OfflineContext()) == rollout


def answering(*texts: Any) -> OfflineContext:
    given = iter(texts)
    return OfflineContext(answers={"counting": lambda prompt: next(given)})


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (tagged("triple", {}), "there is no tool 'triple'"),
        (tagged("doubel", {}), "did you mean 'double'"),
        (tagged("double", {"number": -1}), "number"),
        (tagged("double", {}), "Field required"),
    ],
)
async def test_a_call_that_cannot_run_is_an_observation(call: str, error: str) -> None:
    rollout = await rolled(answering(call, "done"))
    assert rollout.stop == "answered"
    assert rollout.steps[0].observations[0].failed
    assert error in rollout.steps[0].observations[0].text


async def test_limits_end_a_rollout() -> None:
    same = tagged("double", {"number": 1})
    assert (await rolled(answering(*[same] * 9))).stop == "repeated call"
    grow = [tagged("double", {"number": n}) for n in range(99)]
    assert (await rolled(answering(*grow), RolloutLimits(max_turns=5))).stop == "turn limit"
    long = Completion(text=grow[0], prompt_tokens=90, completion_tokens=20)
    assert (await rolled(answering(long), RolloutLimits(max_tokens=100))).stop == "token limit"
    assert (await rolled(answering("<tool_call>{broken"))).stop == "malformed turn"
    many = "".join(grow[:9])
    rollout = await rolled(answering(many, "done"), RolloutLimits(max_calls=2))
    assert len(rollout.steps[0].calls) == len(rollout.steps[0].observations) == 2
    assert len(json.loads(rollout.conversation[0].tool_calls or "")) == 2


NESTED = '{"number":' + 100_000 * "["


@pytest.mark.parametrize("arguments", [NESTED, '{"number": NaN}', r'{"number": "\ud800"}', "[1]"])
@pytest.mark.parametrize("native", [True, False])
def test_arguments_that_nothing_can_hold_are_malformed(arguments: str, native: bool) -> None:
    call = {"function": {"name": "double", "arguments": arguments}}
    said = f'<tool_call>{{"name": "double", "arguments": {arguments}}}</tool_call>'
    completion = (
        Completion(text="", tool_calls=json.dumps([call])) if native else Completion(text=said)
    )
    with pytest.raises(MalformedAnswer):
        Counting(conversation=()).parse(completion)


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    turn = Counting(conversation=()).parse(Completion(text="a\ud83d", reasoning="\ud83db"))
    assert (turn.content, turn.reasoning) == ("a?", "?b")


def test_a_turn_of_mere_spaces_is_read_once() -> None:
    """Searched for a thought from each space on, it would take an hour."""
    said = 1_000_000 * " " + "done"
    assert Counting(conversation=()).parse(Completion(text=said)).content == "done"


async def test_a_refused_turn_ends_the_rollout_and_a_dead_server_the_run() -> None:
    def raising(error: Exception) -> OfflineContext:
        def answer(prompt: Any) -> str:
            raise error

        return OfflineContext(answers={"counting": answer})

    assert (await rolled(raising(RequestRejected("too long")))).stop == "refused by server"
    for error in (ConfigurationError("key"), ServerUnavailable("dead")):
        with pytest.raises(type(error)):
            await rolled(raising(error))


def turn(**fields: Any) -> Turn:
    found = Counting(conversation=(user("x"),)).parse(Completion(**fields))
    assert isinstance(found, Turn)
    return found


def test_native_calls_and_reasoning_are_read() -> None:
    calls = [{"id": "a", "function": {"name": "double", "arguments": '{"number": 4}'}}]
    found = turn(text="", reasoning="hm", tool_calls=json.dumps(calls))
    assert found.reasoning == "hm" and found.calls[0].arguments == '{"number": 4}'
    assert found.calls[0].id.startswith("call_")


def test_tags_in_the_text_are_read_under_both_protocols() -> None:
    found = turn(text=f"so</think>I call {tagged('double', {'number': 1})}")
    assert found.reasoning == "so" and found.content == "I call" and len(found.calls) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "<tool_call>[]</tool_call>"},
        {"text": '<tool_call>{"name": 3}</tool_call>'},
        {"text": '<tool_call>{"name": "double", "arguments": "[1]"}</tool_call>'},
        {"text": "<tool_call>" + "[" * 50_000},
        {"text": "", "tool_calls": '[{"function": {"name": "double", "arguments": "{"}}]'},
        {"text": "", "tool_calls": "null"},
    ],
)
def test_hostile_calls_are_malformed_and_nothing_worse(fields: dict[str, Any]) -> None:
    with pytest.raises(MalformedAnswer):
        turn(**fields)


def test_the_text_protocol_spells_calls_out() -> None:
    call = Call(id="c", name="double", arguments='{"number": 2}')
    conversation = (
        user("go"),
        spoken(Turn(content="I call.", calls=(call,))),
        Message(role="tool", content="4", tool_call_id="c", name="double", train=False),
    )
    sent = Counting(conversation=conversation, protocol="text").messages()
    assert [m.role for m in sent] == ["user", "assistant", "user"]
    assert '{"name": "double", "arguments": {"number": 2}}' in (sent[1].content or "")
    assert sent[1].tool_calls is None and "<tool_response>\n4\n" in (sent[2].content or "")


def test_schemas_are_plain_json_schemas() -> None:
    (schema,) = json.loads(Toolbox([Double()]).schemas)
    assert schema["function"]["parameters"] == {
        "description": "Arguments.",
        "properties": {"number": {"minimum": 0, "type": "integer"}},
        "required": ["number"],
        "type": "object",
    }
