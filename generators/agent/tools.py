"""Typed tools: a name, a description, checked arguments, an observation."""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError

from synthmill.schemas.base import Record
from synthmill.schemas.errors import nearest
from synthmill.sources.documents.prompt_documents import neutralize_markup

FAILED = "Error: "  # begins the text of a failed observation


class Call(Record):
    """A tool call of a model; `arguments` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str

    @property
    def key(self) -> str:
        """Equal for calls that ask the same."""
        try:
            return f"{self.name} {json.dumps(json.loads(self.arguments), sort_keys=True)}"
        except (ValueError, RecursionError):
            return f"{self.name} {self.arguments}"


class Observation(Record):
    """What a tool answers: text for the model, and `detail` (JSON text) for the record alone."""

    text: str
    detail: str = "null"
    failed: bool = False


class Tool(ABC):
    """Something that a model may call."""

    name: ClassVar[str]
    description: ClassVar[str]
    Arguments: ClassVar[type[BaseModel]]

    @abstractmethod
    async def run(self, arguments: Any) -> Observation:
        """The observation for checked arguments. What it raises fails the task."""


class Toolbox:
    """The tools of one rollout, by name."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    @property
    def schemas(self) -> str:
        """JSON text of the tools as chat APIs take them."""
        return tool_schemas([type(tool) for tool in self._tools.values()])

    async def call(self, call: Call) -> Observation:
        """Run a call. A call that cannot be run is a failed observation: the model may mend it."""
        tool = self._tools.get(call.name)
        if tool is None:
            hint = nearest(call.name, self._tools)
            return _failed(f"there is no tool {call.name!r}{hint}; tools: {', '.join(self._tools)}")
        try:
            arguments = tool.Arguments.model_validate_json(call.arguments or "{}")
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "arguments"
            return _failed(f"{call.name}: {where}: {first['msg']}")
        found = await tool.run(arguments)
        # Whatever a tool brings in from outside must not look like structure to a chat template.
        return found.model_copy(update={"text": neutralize_markup(found.text)})


def tool_schemas(tools: Sequence[type[Tool]]) -> str:
    """JSON text of tool schemas, without the titles that pydantic adds."""
    return json.dumps(
        [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": _plain(tool.Arguments.model_json_schema()),
                },
            }
            for tool in tools
        ]
    )


def _plain(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            k: _plain(v) for k, v in schema.items() if not (k == "title" and isinstance(v, str))
        }
    return [_plain(part) for part in schema] if isinstance(schema, list) else schema


def _failed(why: str) -> Observation:
    return Observation(text=f"{FAILED}{neutralize_markup(why)}", failed=True)
