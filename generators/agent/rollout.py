"""The rollout loop: think, call, observe, until the model answers or a limit ends it."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal

from pydantic import Field

from synthmill.generators.agent.tools import Call, Observation, Toolbox
from synthmill.generators.agent.turn import AgentTurn, Turn, spoken
from synthmill.generators.base import Context
from synthmill.models.errors import ConfigurationError, RequestRejected
from synthmill.models.request import Sampling
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.identity import content_id
from synthmill.schemas.messages import Message
from synthmill.schemas.row import Candidate

Stop = Literal[
    "answered", "turn limit", "token limit", "repeated call", "malformed turn", "refused by server"
]


class RolloutLimits(Settings):
    """When a rollout ends that does not end by itself."""

    max_turns: int = Field(default=50, ge=1, description="turns (the released code's for rag)")
    max_tokens: int = Field(
        default=100_000, ge=1, description="context of a turn, in tokens (the paper's)"
    )
    max_calls: int = Field(default=4, ge=1, description="calls of one turn that are run; ours")
    max_repeats: int = Field(
        default=2, ge=0, description="how often the same call may be repeated; ours"
    )


class RolloutStep(Record):
    """One turn with what its calls brought, and what it cost."""

    turn: Turn
    calls: tuple[Call, ...] = ()
    observations: tuple[Observation, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Rollout(Record):
    """What happened: the opening messages, every step, and how it ended."""

    opening: tuple[Message, ...]
    steps: tuple[RolloutStep, ...]
    stop: Stop

    @property
    def final(self) -> Turn | None:
        """The answering turn, or None where a limit ended the rollout."""
        return self.steps[-1].turn if self.stop == "answered" else None

    @property
    def conversation(self) -> tuple[Message, ...]:
        """Everything after the opening: assistant turns to train on, observations masked."""
        return tuple(message for step in self.steps for message in step_messages(step))


def step_messages(step: RolloutStep) -> list[Message]:
    """A step as messages: the turn, then one tool message for each observation."""
    kept = step.turn.model_copy(update={"calls": step.calls})
    observed = [
        Message(role="tool", content=o.text, tool_call_id=c.id, name=c.name, train=False)
        for c, o in zip(step.calls, step.observations, strict=True)
    ]
    return [spoken(kept), *observed]


async def roll_out(
    context: Context,
    opening: Sequence[Message],
    turn: Callable[[tuple[Message, ...]], AgentTurn],
    toolbox: Toolbox,
    *,
    purpose: str,
    role: str = "default",
    limits: RolloutLimits,
    sampling: Sampling | None = None,
) -> Rollout:
    """Run an agent. `turn` makes the prompt for a conversation; a turn without calls is the answer.

    A server that refuses a turn (too long a context) ends the rollout, not the task.

    Raises:
        ServerUnavailable, ConfigurationError: no answer can be had at all.
    """
    conversation, steps, seen = list(opening), list[RolloutStep](), Counter[str]()

    def ended(stop: Stop) -> Rollout:
        return Rollout(opening=tuple(opening), steps=tuple(steps), stop=stop)

    for number in range(limits.max_turns):
        prompt = turn(tuple(conversation))
        tools = toolbox.schemas if prompt.protocol == "native" else None
        try:
            reply = await context.generate(
                prompt, purpose=f"{purpose}/{number}", role=role, sampling=sampling, tools=tools
            )
        except ConfigurationError:
            raise
        except RequestRejected:
            return ended("refused by server")
        if reply.value is None:
            return ended("malformed turn")
        calls = reply.value.calls[: limits.max_calls]
        observations = [await toolbox.call(call) for call in calls]
        step = RolloutStep(
            turn=reply.value,
            calls=calls,
            observations=tuple(observations),
            prompt_tokens=reply.completion.prompt_tokens,
            completion_tokens=reply.completion.completion_tokens,
        )
        steps.append(step)
        conversation += step_messages(step)
        seen.update(call.key for call in calls)
        if not calls:
            return ended("answered")
        if max(seen.values()) > limits.max_repeats + 1:
            return ended("repeated call")
        if step.prompt_tokens + step.completion_tokens >= limits.max_tokens:
            return ended("token limit")
    return ended("turn limit")


def fields_of_question(question: Candidate) -> dict[str, Any]:
    """The fields that the row of a rollout takes from the row of its question."""
    return {
        "tools": question.tools,
        "answer": question.answer,
        "reward": question.reward,
        "reward_args": question.reward_args,
        "sources": question.sources,
        "parents": [content_id(question)],
    }
