"""Counting what calls use: the tally of a task, and the ledger of a run."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from synthmill.models.completion import Completion
from synthmill.schemas.recipe import Price
from synthmill.schemas.report import StageUsage


@dataclass(slots=True)
class Usage:
    """A running count of calls and tokens.

    A call is one question, however many samples it asks for and however it was answered: cached
    answers count as bought ones do, so that a replayed task has the same figures.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, completions: Iterable[Completion]) -> None:
        """Count one call and the tokens of its samples."""
        self.calls += 1
        for completion in completions:
            self.prompt_tokens += completion.prompt_tokens
            self.completion_tokens += completion.completion_tokens

    @property
    def tokens(self) -> int:
        """Prompt and generated tokens together."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(slots=True)
class Stage:
    """What the prompts of one name used: everything asked, the bought part of it, its price."""

    asked: Usage = field(default_factory=Usage)
    paid: Usage = field(default_factory=Usage)
    dollars: float = 0.0

    def pay(self, completions: Sequence[Completion], price: Price) -> None:
        """Book samples that a back end has just answered."""
        before_prompt, before_completion = self.paid.prompt_tokens, self.paid.completion_tokens
        self.paid.add(completions)
        prompt = self.paid.prompt_tokens - before_prompt
        completion = self.paid.completion_tokens - before_completion
        self.dollars += (prompt * price.prompt + completion * price.completion) / 1e6

    def report(self, failures: Mapping[str, int]) -> StageUsage:
        """The figures as a run report holds them."""
        return StageUsage(
            calls=self.asked.calls,
            prompt_tokens=self.asked.prompt_tokens,
            completion_tokens=self.asked.completion_tokens,
            paid_calls=self.paid.calls,
            paid_prompt_tokens=self.paid.prompt_tokens,
            paid_completion_tokens=self.paid.completion_tokens,
            dollars=self.dollars,
            failures=dict(failures),
        )


@dataclass(frozen=True, slots=True)
class Spent:
    """What went over the wire in this run: tokens of both kinds, and dollars."""

    tokens: int
    dollars: float


class Ledger:
    """Usage of a run by prompt name."""

    def __init__(self) -> None:
        self._stages: defaultdict[str, Stage] = defaultdict(Stage)

    def stage(self, name: str) -> Stage:
        """The figures of one prompt name, to be added to."""
        return self._stages[name]

    @property
    def spent(self) -> Spent:
        """Totals of what was bought."""
        stages = self._stages.values()
        return Spent(sum(s.paid.tokens for s in stages), sum(s.dollars for s in stages))

    def report(self, failures: Mapping[str, Counter[str]]) -> dict[str, StageUsage]:
        """Usage by prompt name, with the retried failures of each name."""
        names = [*self._stages, *(name for name in failures if name not in self._stages)]
        return {name: self.stage(name).report(failures.get(name, {})) for name in names}
