"""What is known of widely used servers: addresses, keys, forms of answers, thinking, limits.

A preset fills in settings that a recipe does not give. What a server refuses all the same is found
out while it is used: see `dialect`. Sources are the servers' own documentation, read in 2026.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# How the chat templates of Qwen3 and most later open models switch thinking.
TEMPLATE_SWITCH = (
    {"chat_template_kwargs": {"enable_thinking": True}},
    {"chat_template_kwargs": {"enable_thinking": False}},
)
EFFORT_SWITCH = ({"reasoning_effort": "medium"}, {"reasoning_effort": "none"})


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of server.

    `thinking` holds the fields of a request that switch thinking on and off (None: no switch is
    known), `reasoning` says where the thinking comes back, `limits` what else to know.
    """

    base_url: str
    key: str | None = None
    thinking: tuple[dict[str, Any], dict[str, Any]] | None = None
    reasoning: str = "message.reasoning_content"
    limits: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)


PRESETS = {
    "openai": Preset(
        "https://api.openai.com/v1",
        key="OPENAI_API_KEY",
        thinking=EFFORT_SWITCH,
        reasoning="only counted, not shown",
        limits="reasoning models take no temperature, top_p or logprobs; no answer is continued",
        settings={"tokens_field": "max_completion_tokens", "prefix": "assistant"},
    ),
    "openrouter": Preset(
        "https://openrouter.ai/api/v1",
        key="OPENROUTER_API_KEY",
        thinking=({"reasoning": {"enabled": True}}, {"reasoning": {"enabled": False}}),
        reasoning="message.reasoning",
        limits="one sample a call; json_schema where the provider behind it has it",
        settings={"max_samples": 1, "prefix": "assistant"},
    ),
    "ollama": Preset(
        "http://localhost:11434/v1",
        thinking=EFFORT_SWITCH,
        reasoning="message.reasoning",
        limits="one sample a call; what exceeds OLLAMA_NUM_PARALLEL waits, then gets 503",
        settings={"max_samples": 1, "prefix": "assistant"},
    ),
    "lm_studio": Preset(
        "http://localhost:1234/v1",
        reasoning="message.reasoning_content, else <think> in the text",
        limits="one sample a call; json_schema but no json_object",
        settings={"max_samples": 1, "prefix": "assistant"},
    ),
    "llama_cpp": Preset(
        "http://localhost:8080/v1",
        thinking=TEMPLATE_SWITCH,
        limits="no more samples a call than the server has slots; what exceeds them waits",
        settings={"prefix": "assistant"},
    ),
    "vllm": Preset(
        "http://localhost:8000/v1",
        thinking=TEMPLATE_SWITCH,
        reasoning="message.reasoning (message.reasoning_content in older versions)",
        limits="thinking is kept apart where the server has a --reasoning-parser",
    ),
    "sglang": Preset(
        "http://localhost:30000/v1",
        thinking=TEMPLATE_SWITCH,
        limits="thinking is kept apart where the server has a --reasoning-parser",
    ),
    "gemini": Preset(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        key="GEMINI_API_KEY",
        thinking=(
            {"extra_body": {"google": {"thinking_config": {"include_thoughts": True}}}},
            {"reasoning_effort": "none"},
        ),
        reasoning="<thought> in the text",
        limits="at most 8 samples a call; no answer is continued",
        settings={"max_samples": 8, "prefix": "assistant"},
    ),
    "anthropic": Preset(
        "https://api.anthropic.com/v1",
        key="ANTHROPIC_API_KEY",
        thinking=(
            {"thinking": {"type": "enabled", "budget_tokens": 1024}},
            {"thinking": {"type": "disabled"}},
        ),
        reasoning="not shown",
        limits="one sample a call; response_format, seed and logprobs are ignored; temperature "
        "up to 1",
        settings={"max_samples": 1, "json_style": "prompt", "prefix": "assistant"},
    ),
}
