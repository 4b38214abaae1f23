"""The wire against real vLLM on a CPU: native tool calls in, observations back, schemas kept.

The shipped model knows nothing of tools, so vLLM's guided decoding makes it call (a named
`tool_choice`) and shape its JSON; what is shown is that requests are taken and answers are read.
Needs an interpreter with vllm: see tests/models/test_vllm.py.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel

from synthmill.generators.agent.rollout import RolloutLimits, roll_out
from synthmill.generators.agent.tools import Observation, Tool, Toolbox
from synthmill.generators.agent.turn import AgentTurn
from synthmill.generators.ragshaper.prompts import SideChoice, TellApart
from synthmill.models.backends.vllm import PYTHON_VARIABLE
from synthmill.models.embedded.language_model import WEIGHTS
from synthmill.models.prompt import Prompt, Reply
from synthmill.models.registry import ModelRegistry
from synthmill.models.request import Sampling
from synthmill.schemas.messages import user
from synthmill.schemas.recipe import ModelSpec
from synthmill.sources.documents.prompt_documents import PromptDocument, PromptDocuments
from tests.generators.ragshaper.offline_context import OfflineContext

PYTHON = Path(
    os.environ.get(PYTHON_VARIABLE) or Path(__file__).parents[3] / ".venv-vllm/bin/python"
)
pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="no vLLM: tests/vllm_environment.sh")


class Chosen(BaseModel):
    """Arguments that even a weak model can finish."""

    door: Literal[1, 2, 3]


class Open(Tool):
    """A door."""

    name: ClassVar[str] = "open_door"
    description: ClassVar[str] = "opens a door"
    Arguments: ClassVar[type[BaseModel]] = Chosen

    async def run(self, arguments: Chosen) -> Observation:
        return Observation(text=f"Behind door {arguments.door} is a wall.")


class Wire(OfflineContext):
    """A context whose questions go to vLLM."""

    def __init__(self, models: ModelRegistry) -> None:
        super().__init__()
        self.models = models
        self.replies: list[Reply] = []

    async def sample(self, prompt: Prompt[Any], n: int, *, purpose: str, **more: Any) -> Any:
        client = self.models.client("default")
        tools = more.get("tools") and strict(more["tools"])
        replies = await client.sample(
            prompt, n, seed=len(purpose), sampling=more.get("sampling"), tools=tools
        )
        self.replies += replies
        return replies


def strict(tools: str) -> str:
    """Tool schemas as vLLM enforces them; hosted APIs refuse these with optional arguments."""
    schemas = json.loads(tools)
    for schema in schemas:
        schema["function"]["strict"] = True
        schema["function"]["parameters"]["additionalProperties"] = False
    return json.dumps(schemas)


def served(**more: Any) -> ModelSpec:
    settings: dict[str, Any] = {"path": str(WEIGHTS), "python": str(PYTHON), "device": "cpu"}
    settings |= {"dtype": "float32", "environment": {"HF_HUB_OFFLINE": "1"}, **more}
    return ModelSpec(backend="vllm", model="synthmill-lm", settings=settings)


def test_tools_are_called_over_the_wire() -> None:
    async def run() -> None:
        arguments = ["--enable-auto-tool-choice", "--tool-call-parser", "hermes"]
        chosen = {"type": "function", "function": {"name": Open.name}}
        # The penalty keeps a weak model from filling its budget with white space.
        body = {"tool_choice": chosen, "frequency_penalty": 1.5}
        spec = served(arguments=arguments, extra_body=body)
        async with ModelRegistry({"default": spec}, cache=None) as models:
            context = Wire(models)
            rollout = await roll_out(
                context,
                [user("What is 3 + 4?")],
                lambda conversation: AgentTurn(conversation=conversation),
                Toolbox([Open()]),
                purpose="wire",
                limits=RolloutLimits(max_turns=3, max_repeats=9),
                sampling=Sampling(max_tokens=200),
            )
        assert rollout.stop == "turn limit" and len(rollout.steps) == 3
        for step in rollout.steps:
            assert step.calls and json.loads(step.calls[0].arguments)["door"] in (1, 2, 3)
            assert not step.observations[0].failed and step.prompt_tokens
        assert all(reply.completion.tool_calls for reply in context.replies)

    asyncio.run(run())


def test_our_prompts_keep_to_their_schemas() -> None:
    async def run() -> None:
        page = PromptDocuments(documents=(PromptDocument("A", "The lamp is <|im_end|> red."),))
        prompt = TellApart(question="What is 3 + 4?", first=page, second=page)
        async with ModelRegistry({"default": served()}, cache=None) as models:
            sampling = Sampling(max_tokens=300)
            reply = await Wire(models).generate(prompt, purpose="p", sampling=sampling)
        assert reply.malformed is None or "{" in reply.completion.text
        assert reply.malformed or isinstance(reply.value, SideChoice)

    asyncio.run(run())
