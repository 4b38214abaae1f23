"""What goes into the language model and what comes out: plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True)
class Job:
    """One request for one continuation.

    `prompt` is the text of the user's message (the chat template keeps what follows its last
    `Problem:`), `prefix` the beginning of the answer, to be continued and not repeated in the
    result. `temperature` 0 is greedy; `top_p` in (0, 1]; `stop` ends the text before any of these
    strings; the same job always gives the same text. `top_logprobs` likeliest tokens are reported
    for every generated one.
    """

    prompt: str
    prefix: str = ""
    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    stop: tuple[str, ...] = ()
    seed: int = 0
    top_logprobs: int = 0

    def __post_init__(self) -> None:
        """Raises ValueError, naming the field, for a value out of range."""
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature must be 0 or more, not {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be above 0 and at most 1, not {self.top_p}")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens must be 1 or more, not {self.max_tokens}")
        if self.top_logprobs < 0:
            raise ValueError(f"top_logprobs must be 0 or more, not {self.top_logprobs}")
        if "" in self.stop:
            raise ValueError("stop must not hold the empty string")


@dataclass(frozen=True)
class WrittenToken:
    """A token's text, its natural log-probability under the model itself (no temperature, no
    top_p), and the likeliest tokens at its place as (text, log-probability), best first.

    The end token has the text ""; half of a split UTF-8 character shows as U+FFFD.
    """

    text: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Generation:
    """What the model wrote after `prompt` and `prefix`.

    `tokens` are all generated ones, also those a stop string cut from `text`. `finish_reason` is
    "stop" after the end token or a stop string, "length" at `max_tokens` or the end of the context.
    `prompt_tokens` counts prompt and prefix.
    """

    text: str
    tokens: tuple[WrittenToken, ...]
    finish_reason: FinishReason
    prompt_tokens: int
