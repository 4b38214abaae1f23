"""A trace: text, the steps in it, the tokens behind it, and its parents.

Uncertainty of tokens and steps follows arXiv 2604.14768, eq. 3 and 4.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from synthmill.filters.text import Step, conclusion_start, tokens
from synthmill.filters.text import split_steps as split_text
from synthmill.filters.verifiers.format import Format
from synthmill.models.completion import Completion, Token
from synthmill.rewards.math_answers import last_box
from synthmill.schemas.base import Record
from synthmill.schemas.messages import Message, assistant
from synthmill.schemas.row import Candidate

# Ours: rarer alternatives are rarely right, and in long traces they would fill the memory.
MIN_LOGPROB = math.log(1e-3)
MAX_STEPS = 200  # ours: a runaway text has thousands of lines; the rest is one last step
INITIAL = "initial"  # the operator of first solutions

_FORMAT = Format()


def token_entropy(logprobs: Sequence[float], base: float = 2.0, renormalize: bool = False) -> float:
    """Eq. 3 over the likeliest tokens of one position: -sum p log p, in units of `base`.

    `logprobs` are natural. An API returns only the top of the distribution, so the sum is a lower
    bound; `renormalize` treats the top as the whole distribution. 0 where no tokens are given.
    """
    probabilities = [math.exp(min(value, 0.0)) for value in logprobs if value > -math.inf]
    total = math.fsum(probabilities)
    if renormalize and total > 0:
        probabilities = [p / total for p in probabilities]
    entropy = -math.fsum(p * math.log(p) for p in probabilities if p > 0)
    return max(0.0, entropy / math.log(base))


def step_entropy(entropies: Sequence[float]) -> float:
    """Eq. 4: the mean entropy of a step's tokens; 0 for a step without known tokens."""
    return math.fsum(entropies) / len(entropies) if entropies else 0.0


class TokenPosition(NamedTuple):
    """A generated token: characters `start` to `end` of the text, its log-probability, the entropy.

    `top` holds the likeliest tokens of the position that are not rarer than `MIN_LOGPROB`.
    """

    start: int
    end: int
    logprob: float
    entropy: float
    top: tuple[tuple[str, float], ...]


class Lineage(Record):
    """How a trace was made. `step` (from 0) and its `entropy` belong to mutations."""

    operator: str
    parents: tuple[str, ...] = ()
    round: int = 0
    step: int | None = None
    entropy: float | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class Trace:
    """One solution. `positions` are its tokens, as far as they are known, in order.

    `reasoning` is what a reasoning model thought before it wrote the text. `right` is the judgement
    of the answer: None where it could not be judged. `fault` is the reason not to train on the
    trace, whatever its answer. `cost` counts the tokens generated for this trace, `spent` those of
    the whole search when the trace was finished.
    """

    id: str
    text: str
    lineage: Lineage
    positions: tuple[TokenPosition, ...] = field(default=(), repr=False)
    reasoning: str | None = field(default=None, repr=False)
    complete: bool = True
    right: bool | None = None
    fault: str | None = None
    cost: int = 0
    spent: int = 0

    @cached_property
    def steps(self) -> list[Step]:
        """The steps of the text."""
        return split_steps(self.text)

    @cached_property
    def answer(self) -> str | None:
        """The content of the last box, or None where there is none that closes."""
        box = last_box(self.text)
        return box.content if box else None

    @cached_property
    def length(self) -> int:
        """Words and signs of the text: a length that does not depend on the model's tokenizer."""
        return len(tokens(self.text))

    @property
    def message(self) -> Message:
        """The trace as an assistant turn."""
        return assistant(self.text, reasoning=self.reasoning)

    @cached_property
    def well_formed(self) -> bool:
        """Whether the filter `format` would pass it: the box parses, the steps are in order."""
        candidate = Candidate(kind="sft", messages=[assistant(self.text)])
        return self.complete and _FORMAT.judge(candidate).status == "pass"

    @property
    def good(self) -> bool:
        """Whether the answer is right and nothing speaks against training on the trace."""
        return bool(self.right) and self.fault is None

    @cached_property
    def confidence(self) -> float | None:
        """The geometric mean of the token probabilities; None where they are unknown."""
        if not self.positions:
            return None
        return math.exp(math.fsum(p.logprob for p in self.positions) / len(self.positions))

    @cached_property
    def step_entropies(self) -> list[float]:
        """Mean token entropy of each step; 0 where its tokens are unknown."""
        return [
            step_entropy([p.entropy for p in self.positions if step.start <= p.start < step.end])
            for step in self.steps
        ]

    def with_judgement(self, right: bool | None, fault: str | None) -> "Trace":
        """The same trace, judged."""
        return replace(self, right=right, fault=fault)


def split_steps(text: str) -> list[Step]:
    """The steps of a trace; a text of one line that states the boxed answer is one step."""
    return split_text(text, conclusion_start(text) or len(text), MAX_STEPS)


def first_steps(solution: str, count: int) -> str:
    """The text of the first `count` steps, with the line end that follows them."""
    steps = split_steps(solution)
    count = max(0, min(count, len(steps)))
    return solution[: steps[count].start] if count < len(steps) else solution[: steps[-1].end]


def token_positions(
    completion: Completion, offset: int, base: float, renormalize: bool
) -> tuple[TokenPosition, ...]:
    """The positions of a completion's tokens in a text whose first `offset` characters were given.

    A text may be shorter than its tokens (a stop string was cut off), and tokens may not spell it
    (half characters, a rule's text): tokens that do not match are left out.
    """
    return tuple(_matching(completion.text, completion.tokens, offset, base, renormalize))


def _matching(
    text: str, generated: Sequence[Token], offset: int, base: float, renormalize: bool
) -> Iterator[TokenPosition]:
    # A text made of a given part and a generated one ends with the generated tokens.
    spelled = "".join(token.token for token in generated)
    start = len(text) - len(spelled) if spelled and text.endswith(spelled) else 0
    for token in generated:
        if not text.startswith(token.token, start):
            return
        if token.token:
            entropy = token_entropy([other.logprob for other in token.top], base, renormalize)
            likely = (other for other in token.top if other.logprob >= MIN_LOGPROB)
            top = tuple((other.token, other.logprob) for other in likely)
            end = start + len(token.token)
            yield TokenPosition(offset + start, offset + end, token.logprob, entropy, top)
            start = end
