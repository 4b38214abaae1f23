"""Where traces are made: every call to a model, every judgement and every token counted.

Strategies decide what to write; the workshop writes it, judges it, keeps it, and says when the
tokens are spent. So methods differ in nothing but their decisions.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from synthmill.generators.base import Context
from synthmill.generators.cotevol.guards import leak, miscalculation
from synthmill.generators.cotevol.judge import Judge
from synthmill.generators.cotevol.prompts.evaluate import Evaluate
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.traces import Lineage, Place, Trace, places_of
from synthmill.models.prompt import Prompt, Reply
from synthmill.models.request import Sampling
from synthmill.sources.base import Problem

T = TypeVar("T")

# Ours: a model that evaluates itself calls a trace right from here on.
TRUSTED = 0.5


class Spent(Exception):
    """No tokens are left for this problem."""


@dataclass(frozen=True)
class Start:
    """The given beginning of a text: `text`, and the tokens known of it."""

    text: str = ""
    places: tuple[Place, ...] = ()

    @classmethod
    def of(cls, trace: Trace, end: int) -> "Start":
        """The first `end` characters of a trace."""
        return cls(trace.text[:end], tuple(p for p in trace.places if p.end <= end))


@dataclass
class Workshop:
    """The traces of one problem, in the order in which they were written (`archive`)."""

    problem: Problem
    settings: CotevolSettings
    context: Context
    judge: Judge
    archive: list[Trace] = field(default_factory=list)
    spent: int = 0
    _calls: int = 0

    @property
    def truth(self) -> str | None:
        """The ground truth for prompts: none but in the paper's GT mode."""
        return self.problem.answer if self.settings.ground_truth_in_prompts else None

    @property
    def left(self) -> int | None:
        """Tokens that may still be generated; None without a bound."""
        most = self.settings.max_tokens_per_problem
        return None if most is None else max(0, most - self.spent)

    @property
    def overdrawn(self) -> bool:
        """Whether more was generated than may be: samples of one request end together."""
        most = self.settings.max_tokens_per_problem
        return most is not None and self.spent > most

    def rng(self, purpose: str) -> Random:
        """A random generator keyed by purpose and by how much was done, for one decision."""
        return self.context.rng(f"{purpose}/{self._calls}")

    async def generate(self, prompt: Prompt[T], temperature: float) -> Reply[T]:
        """One reply to a prompt; see `sample`."""
        (reply,) = await self.sample(prompt, 1, temperature)
        return reply

    async def sample(
        self, prompt: Prompt[T], n: int, temperature: float, prefix: str = ""
    ) -> list[Reply[T]]:
        """`n` replies to a prompt.

        Raises:
            Spent: the tokens of this problem are used up.
        """
        left = self.left
        if left == 0:
            raise Spent
        self._calls += 1
        most = self.settings.max_tokens if left is None else min(self.settings.max_tokens, left)
        sampling = Sampling(
            temperature=temperature,
            top_p=self.settings.top_p,
            max_tokens=most,
            top_logprobs=self.settings.top_logprobs,
        )
        return await self.context.sample(
            prompt,
            n,
            purpose=f"{prompt.prompt_name()}/{self._calls}",
            prefix=prefix,
            sampling=sampling,
        )

    def pay(self, reply: Reply[Any]) -> int:
        """Count a reply's tokens."""
        self.spent += reply.completion.completion_tokens
        return reply.completion.completion_tokens

    async def write(
        self,
        prompt: Prompt[str],
        lineage: Lineage,
        temperature: float,
        n: int = 1,
        start: Start | None = None,
        paid: int = 0,
    ) -> list[Trace]:
        """`n` traces that begin with `start`, judged and archived; those past the budget are not.

        `paid` is what had to be generated before, for these traces alone (a critic's answer).
        """
        given = start or Start()
        replies = await self.sample(prompt, n, temperature, given.text)
        known = lineage.model_copy(update={"temperature": temperature})
        made = []
        for reply in replies:
            cost = self.pay(reply) + paid
            if self.overdrawn:
                continue
            trace = self._trace(reply, known, given, cost)
            made.append(await self._judged(trace))
            self.archive.append(made[-1])
        return made

    def _trace(self, reply: Reply[str], lineage: Lineage, given: Start, cost: int) -> Trace:
        settings, completion = self.settings, reply.completion
        places = places_of(completion, len(given.text), settings.entropy_base, settings.renormalise)
        return Trace(
            id=f"t{len(self.archive)}",
            text=given.text + completion.text,
            lineage=lineage,
            places=given.places + places,
            complete=completion.finish_reason == "stop",
            cost=cost,
            spent=self.spent,
        )

    async def _judged(self, trace: Trace) -> Trace:
        if trace.answer is None or not trace.complete:
            return trace.with_judgement(False, "no boxed answer" if trace.complete else "cut off")
        if self.judge.can_tell:
            right = await self.judge.right(trace.answer)
        else:
            right = await self._believed(trace)
        return trace.with_judgement(right, self._fault(trace.text))

    def _fault(self, text: str) -> str | None:
        found = leak(self.problem.text, text)
        if found is None and self.settings.check_arithmetic:
            found = miscalculation(text)
        return found

    async def _believed(self, trace: Trace) -> bool:
        """The model's own opinion, where there is no ground truth; no opinion, no trust."""
        try:
            reply = await self.generate(
                Evaluate(problem=self.problem.text, solution=trace.text), temperature=0.0
            )
        except Spent:
            return False
        self.pay(reply)
        return reply.malformed is None and reply.unwrap().score >= TRUSTED
