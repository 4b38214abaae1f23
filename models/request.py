"""What goes to a back end."""

from typing import NamedTuple

from pydantic import Field

from synthmill.schemas.base import Record
from synthmill.schemas.messages import Message


class Sampling(Record):
    """How an answer is drawn; `top_logprobs` alternatives are reported for each token."""

    temperature: float = Field(default=0.6, ge=0, le=2)
    top_p: float = Field(default=0.95, gt=0, le=1)
    max_tokens: int = Field(default=1024, ge=1)
    stop: tuple[str, ...] = ()
    top_logprobs: int = Field(default=0, ge=0, le=20)


DEFAULT_SAMPLING = Sampling()


class Request(NamedTuple):
    """One call: samples `first` to `first + n - 1` of an answer to `messages`.

    `prefix` is text of the answer that is already fixed; completions hold only what follows it.
    `json_schema` and `tools` are JSON texts. The same request with the same seed is the same
    question: everything here but `first` and `n` is part of the cache key, with the index of the
    sample.
    """

    model: str
    messages: tuple[Message, ...]
    prefix: str = ""
    sampling: Sampling = DEFAULT_SAMPLING
    first: int = 0
    n: int = 1
    seed: int = 0
    json_schema: str | None = None
    tools: str | None = None
