"""What model calls used: calls, tokens and dollars."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Self


@dataclass(slots=True)
class Usage:
    """Counts that add up.

    A call is one question, however many samples it asks for and wherever the answers come from:
    answers from the response cache count as bought ones do, so that a replayed task has the same
    figures. `cached_tokens` are the prompt tokens that the server read from its own prompt cache,
    `unpriced_tokens` those of models without a known price, which are in no dollars.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0
    unpriced_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Prompt and generated tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def __iadd__(self, other: "Usage") -> Self:
        """Add in place: an accumulator that is handed around stays the same object."""
        self.calls += other.calls
        self.prompt_tokens += other.prompt_tokens
        self.cached_tokens += other.cached_tokens
        self.completion_tokens += other.completion_tokens
        self.dollars += other.dollars
        self.unpriced_tokens += other.unpriced_tokens
        return self

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, name) + getattr(other, name) for name in _COUNTS))

    def __sub__(self, other: "Usage") -> "Usage":
        return Usage(*(getattr(self, name) - getattr(other, name) for name in _COUNTS))


_COUNTS = tuple(f.name for f in fields(Usage))


@dataclass(slots=True)
class PromptUsage:
    """The usage of one kind of prompt in a run.

    `asked` is everything that tasks asked for, `bought` the part that back ends answered in this
    run; the rest came from the response cache. `failures` counts the failed attempts that were
    repeated, by kind.
    """

    asked: Usage = field(default_factory=Usage)
    bought: Usage = field(default_factory=Usage)
    failures: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: "PromptUsage") -> "PromptUsage":
        kinds = dict.fromkeys([*self.failures, *other.failures])
        return PromptUsage(
            self.asked + other.asked,
            self.bought + other.bought,
            {kind: self.failures.get(kind, 0) + other.failures.get(kind, 0) for kind in kinds},
        )


@dataclass(slots=True)
class RunCost:
    """The one account of what a run cost: on the screen, in SQL, in commits and cards.

    `asked` is everything that its tasks asked of models, `bought` the part that back ends answered
    and that is paid for. `unused` is the part of `asked` that tasks had used which were started and
    are not settled: the run had enough, or stopped. A larger target or a resumed run finds their
    answers in the response cache.
    """

    asked: Usage = field(default_factory=Usage)
    bought: Usage = field(default_factory=Usage)
    unused: Usage = field(default_factory=Usage)

    @classmethod
    def of(cls, by_prompt: Mapping[str, PromptUsage], unused: Usage) -> Self:
        """The sums over all prompts."""
        every = by_prompt.values()
        asked = sum((used.asked for used in every), Usage())
        return cls(asked, sum((used.bought for used in every), Usage()), unused)


def add_usages(
    one: dict[str, PromptUsage], other: dict[str, PromptUsage]
) -> dict[str, PromptUsage]:
    """The sums of two usages by prompt name."""
    names = dict.fromkeys([*one, *other])
    return {name: one.get(name, PromptUsage()) + other.get(name, PromptUsage()) for name in names}
