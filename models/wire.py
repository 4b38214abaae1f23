"""What goes to a back end and what comes back: requests and completions."""

from typing import Literal

from pydantic import Field

from synthmill.schemas.base import Record
from synthmill.schemas.messages import Message

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Sampling(Record):
    """How an answer is drawn; `top_logprobs` alternatives are reported for each token."""

    temperature: float = Field(default=0.6, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1)
    stop: tuple[str, ...] = ()
    top_logprobs: int = Field(default=0, ge=0, le=20)


class Request(Record):
    """One call: samples `first` to `first + n - 1` of an answer to `messages`.

    `prefix` is text of the answer that is already fixed; completions hold only what follows it.
    `json_schema` and `tools` are JSON texts. The same request with the same seed is the same
    question: everything here but `first` and `n` is part of the cache key, with the index of the
    sample.
    """

    model: str
    messages: tuple[Message, ...]
    prefix: str = ""
    sampling: Sampling = Sampling()
    first: int = Field(default=0, ge=0)
    n: int = Field(default=1, ge=1)
    seed: int = 0
    json_schema: str | None = None
    tools: str | None = None


class Alternative(Record):
    """A token that could have stood in one place, with its natural log-probability."""

    token: str
    logprob: float


class Token(Record):
    """A generated token; `top` are the likeliest tokens of its place, likeliest first.

    Log-probabilities are those of the model itself, before temperature and top-p.
    """

    token: str
    logprob: float
    top: tuple[Alternative, ...] = ()


class Completion(Record):
    """One sample: the text after the prefix, and what it cost.

    The texts of `tokens`, joined, are the end of `text`: all of it but what a rule put in front
    (where a server's tokens cannot be matched with its text, they are as it gave them).
    The prompt tokens of a call for several samples are booked on its first sample, so that sums
    are true. `by_rule` marks an answer that a rule of the embedded back end made, not a model.
    """

    text: str
    finish_reason: FinishReason = "stop"
    tokens: tuple[Token, ...] = ()
    reasoning: str | None = None
    tool_calls: str | None = None
    prompt_tokens: int = Field(default=0, ge=0)
    completion_tokens: int = Field(default=0, ge=0)
    by_rule: bool = False
