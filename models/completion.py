"""What comes back from a back end."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from synthmill.schemas.base import Record

MOST_TOKENS = 2**40  # of a count; the sums over a dataset stay below what 64 bits hold
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Alternative(Record):
    """A token that could have stood in one place, with its natural log-probability."""

    token: str
    logprob: float = Field(allow_inf_nan=False)


class Token(Record):
    """A generated token; `top` are the likeliest tokens of its place, likeliest first.

    Log-probabilities are those of the model itself, before temperature and top-p.
    """

    token: str
    logprob: float = Field(allow_inf_nan=False)
    top: tuple[Alternative, ...] = ()


class Completion(Record):
    """One sample: the text after the prefix, and what it cost.

    The texts of `tokens`, joined, are the end of `text`: all of it but what a rule put in front
    (where a server's tokens cannot be matched with its text, they are as it gave them).
    The prompt tokens of a call for several samples are counted on its first sample, so that sums
    are true; `cached_tokens` are those of them that the server read from its prompt cache.
    `from_rule` marks an answer that a rule of the embedded back end made, not a model.
    """

    text: str
    finish_reason: FinishReason = "stop"
    tokens: tuple[Token, ...] = ()
    reasoning: str | None = None
    tool_calls: str | None = None
    prompt_tokens: int = Field(default=0, ge=0, le=MOST_TOKENS)
    cached_tokens: int = Field(default=0, ge=0, le=MOST_TOKENS)
    completion_tokens: int = Field(default=0, ge=0, le=MOST_TOKENS)
    from_rule: bool = False


# Reads and writes completions; faster than the methods of the class.
COMPLETION = TypeAdapter(Completion)
Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of one text, shape (dimensions,), and the tokens of the text."""

    vector: Vectors
    tokens: int
