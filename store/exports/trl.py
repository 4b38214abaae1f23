"""Export for TRL: SFT, DPO and GRPO as TRL's page "Dataset formats" describes them.

Rows with tools go to parts of their own, whose messages and tools are JSON objects (`Json`), so
that Arrow does not pad the schema of one tool with the keys of another.
"""

import json
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from synthmill.schemas import base
from synthmill.schemas.messages import Message
from synthmill.schemas.row import Kind, Row
from synthmill.store.exports.base import ColumnarPart, Exporter, FileFormat

if TYPE_CHECKING:
    from datasets import Features

PARTS: dict[Kind, str] = {
    "sft": "sft",
    "trajectory": "sft",
    "preference": "dpo",
    "rlvr": "grpo",
}
# SQL of rows without tools and media.
PLAIN = """coalesce(tools, '') = '' AND coalesce(len(media), 0) = 0 AND NOT list_bool_or(
    list_transform(list_concat(messages, chosen, rejected),
                   lambda m: coalesce(m.tool_calls, '') <> '' OR m.role = 'tool'))"""
UNTRAINED = "m.role = 'assistant' AND NOT coalesce(m.train, true)"
CONVERSATIONS = {
    "messages": ("messages",),
    "prompt_completion": ("prompt", "completion"),
    "dpo": ("prompt", "chosen", "rejected"),
    "grpo": ("prompt",),
}


class TrlSettings(base.Settings):
    """Settings of the TRL export."""

    reasoning: Literal["tags", "thinking", "drop"] = Field(
        default="tags",
        description="reasoning kept apart becomes <think> tags in the content, the key `thinking` "
        "(gpt-oss), or is dropped",
    )
    sft: Literal["messages", "prompt_completion"] = Field(
        default="messages",
        description="`prompt_completion` trains on the last assistant turn alone",
    )
    format: FileFormat = Field(default="parquet", description="parquet, or jsonl")


class TrlExporter(Exporter[TrlSettings]):
    """`sft` and `trajectory` for SFTTrainer, `preference` for DPOTrainer, `rlvr` for GRPOTrainer.

    Not expressed, and so left out: rows with media; an assistant turn that must not be trained
    on, where TRL's masks would train on it; a GRPO problem with tools, which TRL takes as code.
    """

    name = "trl"
    kinds = frozenset(PARTS)
    Settings = TrlSettings

    def part(self, row: Row) -> str:
        """`sft`, `dpo` or `grpo`, followed by `_tools` for rows with tools."""
        return PARTS[row.kind] + ("_tools" if _has_tools(row) else "")

    def features(self, part: str) -> "Features":
        """Conversations, tools, and for GRPO the arguments of reward functions."""
        from datasets import Features, Json, List, Value

        shape, _, tools = part.partition("_")
        message: Any = {"role": Value("string"), "content": Value("string")}
        if self.settings.reasoning == "thinking":
            message["thinking"] = Value("string")
        columns: dict[str, Any] = {"id": Value("string")}
        columns |= {name: List(Json() if tools else message) for name in self._conversations(shape)}
        if tools:
            columns["tools"] = List(Json())
        if shape == "grpo":
            columns |= dict.fromkeys(("ground_truth", "reward", "reward_args"), Value("string"))
            columns |= dict.fromkeys(("pass_rate", "difficulty"), Value("float64"))
        return Features(columns)

    def columnar(self) -> list[ColumnarPart]:
        """Rows without tools and media whose turns are all trained on."""
        if self.settings.reasoning == "thinking":  # a key that only some messages have
            return []
        plain = f"coalesce({PLAIN}, true)"
        return [
            ColumnarPart(
                "sft",
                f"kind IN ('sft', 'trajectory') AND {plain} AND {self._trained()}",
                self._columns("sft"),
            ),
            ColumnarPart("dpo", f"kind = 'preference' AND {plain}", self._columns("dpo")),
            ColumnarPart("grpo", f"kind = 'rlvr' AND {plain}", self._columns("grpo")),
        ]

    def _trained(self) -> str:
        if self.settings.sft == "messages":
            return f"len(list_filter(coalesce(messages, []), lambda m: {UNTRAINED})) = 0"
        last = "messages[-1]"
        return f"coalesce({last}.role = 'assistant' AND coalesce({last}.train, true), false)"

    def _columns(self, shape: str) -> dict[str, str]:
        content = "coalesce(m.content, '')"
        if self.settings.reasoning == "tags":
            thought = r"E'<think>\n' || m.reasoning || E'\n</think>\n\n'"
            content = f"if(coalesce(m.reasoning, '') = '', '', {thought}) || {content}"
        turns = {name: name for name in self._conversations(shape)}
        if turns.keys() == {"prompt", "completion"}:
            turns = {"prompt": "messages[:-2]", "completion": "messages[-1:]"}
        elif "prompt" in turns:
            turns["prompt"] = "messages"
        said = f"lambda m: {{'role': m.role, 'content': {content}}}"
        columns = {"id": "id"}
        columns |= {n: f"list_transform(coalesce({t}, []), {said})" for n, t in turns.items()}
        if shape == "grpo":
            columns["ground_truth"] = "answer"
            columns |= {n: n for n in ("reward", "reward_args", "pass_rate", "difficulty")}
        return columns

    def convert(self, row: Row) -> dict[str, Any] | None:
        """The record of a row, or None if TRL cannot express it."""
        turns = self._turns(row)
        if turns is None or row.media:
            return None
        record: dict[str, Any] = {"id": row.id}
        try:
            record |= {name: [self._message(m) for m in part] for name, part in turns.items()}
            if _has_tools(row):
                record["tools"] = json.loads(row.tools or "[]")
        except (ValueError, KeyError, TypeError):  # tools or calls that are not OpenAI's JSON
            return None
        if row.kind == "rlvr":
            given = row.model_dump(include={"reward", "reward_args", "pass_rate", "difficulty"})
            record |= {"ground_truth": row.answer, **given}
        return record

    def _conversations(self, shape: str) -> tuple[str, ...]:
        return CONVERSATIONS[self.settings.sft if shape == "sft" else shape]

    def _turns(self, row: Row) -> dict[str, list[Message]] | None:
        if row.kind == "rlvr":
            return None if _has_tools(row) else {"prompt": row.messages}
        if row.kind == "preference":
            return {"prompt": row.messages, "chosen": row.chosen, "rejected": row.rejected}
        if self.settings.sft == "prompt_completion":
            ends_well = bool(row.messages) and row.messages[-1].role == "assistant"
            last = {"prompt": row.messages[:-1], "completion": row.messages[-1:]}
            return last if ends_well and row.messages[-1].train else None
        masked = any(m.role == "assistant" and not m.train for m in row.messages)
        return None if masked else {"messages": row.messages}

    def _message(self, message: Message) -> dict[str, Any]:
        said: dict[str, Any] = {"role": message.role, "content": message.text}
        if message.reasoning and self.settings.reasoning == "thinking":
            said["thinking"] = message.reasoning
        if message.reasoning and self.settings.reasoning == "tags":
            said["content"] = f"<think>\n{message.reasoning}\n</think>\n\n{said['content']}"
        if message.tool_calls:
            said["tool_calls"] = [_tool_call(call) for call in json.loads(message.tool_calls)]
        if message.role == "tool" and message.name:
            said["name"] = message.name
        return said


def _has_tools(row: Row) -> bool:
    turns = (*row.messages, *row.chosen, *row.rejected)
    return bool(row.tools) or any(m.tool_calls or m.role == "tool" for m in turns)


def _tool_call(call: dict[str, Any]) -> dict[str, Any]:
    """An OpenAI call in TRL's form: arguments as an object, no id."""
    function = call["function"]
    arguments = function.get("arguments") or {}
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    return {"type": "function", "function": {"name": function["name"], "arguments": arguments}}
