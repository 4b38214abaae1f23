"""Counting what calls use and cost, by prompt name."""

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy

from synthmill.models.completion import Completion, Embedding
from synthmill.schemas.recipe import Price
from synthmill.schemas.usage import PromptUsage, Usage


def cost(usage: Usage, price: Price) -> float:
    """Dollars for the tokens of `usage` at `price`; nothing else computes a cost."""
    cached = price.prompt if price.cached is None else price.cached
    return (
        (usage.prompt_tokens - usage.cached_tokens) * price.prompt
        + usage.cached_tokens * cached
        + usage.completion_tokens * price.completion
    ) / 1e6


def call_usage(completions: Iterable[Completion], price: Price | None) -> Usage:
    """One call with these samples; without a price, its tokens count as unpriced."""
    usage = Usage(calls=1)
    for completion in completions:
        usage.prompt_tokens += completion.prompt_tokens
        usage.cached_tokens += completion.cached_tokens
        usage.completion_tokens += completion.completion_tokens
    return priced(usage, price)


def priced(usage: Usage, price: Price | None) -> Usage:
    """`usage` with its dollars, or with all its tokens counted as unpriced."""
    if price is None:
        usage.unpriced_tokens = usage.tokens
    else:
        usage.dollars = cost(usage, price)
    return usage


def embedding_usage(embeddings: Sequence[Embedding], price: Price | None) -> Usage:
    """One call with these embeddings."""
    return priced(Usage(calls=1, prompt_tokens=sum(e.tokens for e in embeddings)), price)


class UsageTracker:
    """Usage of a run by prompt name."""

    def __init__(self) -> None:
        self._prompts: dict[str, PromptUsage] = {}

    def prompt(self, name: str) -> PromptUsage:
        """The figures of one prompt name, to be added to."""
        counts = self._prompts.get(name)
        if counts is None:
            counts = self._prompts[name] = PromptUsage()
        return counts

    @property
    def bought(self) -> Usage:
        """Everything that back ends answered in this run."""
        return sum((prompt.bought for prompt in self._prompts.values()), Usage())

    def report(self, failures: Mapping[str, Mapping[str, int]]) -> dict[str, PromptUsage]:
        """A copy of the figures, with the failed attempts by prompt name and kind."""
        for name, kinds in failures.items():
            self.prompt(name).failures = dict(kinds)
        return deepcopy(self._prompts)
