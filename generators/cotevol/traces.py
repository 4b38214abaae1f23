"""A trace: text, the steps in it, the tokens behind it, and where it came from."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from synthmill.filters.text import Step, conclusion_start, tokens
from synthmill.filters.text import split_steps as split_text
from synthmill.filters.verifiers.format import Format
from synthmill.generators.cotevol.entropy import step_entropy, token_entropy
from synthmill.models.completion import Completion, Token
from synthmill.rewards.math_answers import last_box
from synthmill.schemas.base import Record
from synthmill.schemas.messages import assistant
from synthmill.schemas.row import Candidate

# Ours: a rarer token is a slip, and in long traces such ones would fill the memory.
LEAST_LOGPROB = math.log(1e-3)
MOST_STEPS = 200  # a runaway text has thousands of lines; what follows is one last step

_FORMAT = Format()


class Place(NamedTuple):
    """A generated token: where it stands in the text, its log-probability, the entropy there.

    `top` holds the likeliest tokens of the place, as far as they are worth a try.
    """

    start: int
    end: int
    logprob: float
    entropy: float
    top: tuple[tuple[str, float], ...]


class Lineage(Record):
    """Where a trace came from. `step` (from 0) and `entropy` (of that step) are a mutation's."""

    operator: str
    parents: tuple[str, ...] = ()
    round: int = 0
    step: int | None = None
    entropy: float | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class Trace:
    """One solution. `places` are the tokens as far as they are known, in order.

    `right` is the judgement on the answer: None where nobody could tell. `fault` says why the
    trace is not fit to be taught, whatever its answer. `spent` is what the whole search had
    generated when this trace was done; `cost` is what the trace itself took, both in tokens.
    """

    id: str
    text: str
    lineage: Lineage
    places: tuple[Place, ...] = field(default=(), repr=False)
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
        """Words and signs of the text: a length that does not depend on the model."""
        return len(tokens(self.text))

    @cached_property
    def well_formed(self) -> bool:
        """Whether the filter `format` would pass it: a box that reads, steps in order."""
        said = Candidate(kind="sft", messages=[assistant(self.text)])
        return self.complete and _FORMAT.judge(said).status == "pass"

    @property
    def good(self) -> bool:
        """Right, and fit to be taught."""
        return bool(self.right) and self.fault is None

    @cached_property
    def confidence(self) -> float | None:
        """The geometric mean of the token probabilities; None where they are unknown."""
        if not self.places:
            return None
        return math.exp(math.fsum(p.logprob for p in self.places) / len(self.places))

    @cached_property
    def step_entropies(self) -> list[float]:
        """Mean token entropy of each step; 0 where its tokens are unknown."""
        return [
            step_entropy([p.entropy for p in self.places if step.start <= p.start < step.end])
            for step in self.steps
        ]

    def with_judgement(self, right: bool | None, fault: str | None) -> "Trace":
        """The same trace, judged."""
        return replace(self, right=right, fault=fault)


def split_steps(text: str) -> list[Step]:
    """The steps of a trace; a text of one line that states the boxed answer is one step."""
    return split_text(text, conclusion_start(text) or len(text), MOST_STEPS)


def first_steps(solution: str, count: int) -> str:
    """The text of the first `count` steps, with the line end behind them."""
    steps = split_steps(solution)
    count = max(0, min(count, len(steps)))
    return solution[: steps[count].start] if count < len(steps) else solution[: steps[-1].end]


def places_of(
    completion: Completion, offset: int, base: float, renormalise: bool
) -> tuple[Place, ...]:
    """A completion's tokens, placed behind `offset` characters that were given.

    A text may be shorter than its tokens (a stop string was cut off), and tokens may not spell it
    (half characters, a rule's text): then what does not fit is left out.
    """
    return tuple(_placed(completion.text, completion.tokens, offset, base, renormalise))


def _placed(
    text: str, found: Sequence[Token], offset: int, base: float, renormalise: bool
) -> Iterator[Place]:
    # A text made of a given part and a generated one ends with the generated tokens.
    spelled = "".join(token.token for token in found)
    place = len(text) - len(spelled) if spelled and text.endswith(spelled) else 0
    for token in found:
        if not text.startswith(token.token, place):
            return
        if token.token:
            entropy = token_entropy([other.logprob for other in token.top], base, renormalise)
            likely = (other for other in token.top if other.logprob >= LEAST_LOGPROB)
            top = tuple((other.token, other.logprob) for other in likely)
            end = place + len(token.token)
            yield Place(offset + place, offset + end, token.logprob, entropy, top)
            place = end
