"""The search for traces of one problem: every model call, judgement and token count.

Strategies decide what to write; the session writes it, judges it, keeps it, and stops when the
tokens are used up. So strategies differ in nothing but their decisions.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from synthmill.filters.verifiers.answer_leak import AnswerLeak, AnswerLeakSettings
from synthmill.filters.verifiers.arithmetic import Arithmetic
from synthmill.generators.base import Context
from synthmill.generators.cotevol.prompts import Evaluate
from synthmill.generators.cotevol.settings import CotevolSettings
from synthmill.generators.cotevol.traces import Lineage, TokenPosition, Trace, token_positions
from synthmill.models.prompt import Prompt, Reply
from synthmill.models.request import Sampling
from synthmill.rewards.math_answers import equal_by_math_verify, equal_by_rule
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem
from synthmill.sources.reasoning_gym import REWARD as GYM
from synthmill.sources.reasoning_gym import is_full_score, score_gym_answer

T = TypeVar("T")

# Ours: from this score on, a model that evaluates its own trace calls it right.
MIN_SELF_SCORE = 0.5
MAX_ANSWER_CHARS = 2000  # ours: longer texts are no answers, and parsers take minutes over them
MAX_CHECKED_CHARS = 50_000  # ours: the end of a trace that is searched for faults

# The question's own statements are not the trace's fault; the recipe's filters look at those.
_LEAK = AnswerLeak(AnswerLeakSettings(question=False))
_ARITHMETIC = Arithmetic()


class TokensSpent(Exception):
    """The tokens of this problem are used up."""


@dataclass(frozen=True)
class Prefix:
    """The given beginning of a text, and those of its tokens that are known."""

    text: str = ""
    positions: tuple[TokenPosition, ...] = ()

    @classmethod
    def of(cls, trace: Trace, end: int) -> "Prefix":
        """The first `end` characters of a trace."""
        return cls(trace.text[:end], tuple(p for p in trace.positions if p.end <= end))


@dataclass
class AnswerJudge:
    """Judges the answers to one problem, each once; the same judge serves every strategy.

    It decides as the filter `answer_equivalence` does, so that a trace that wins here is accepted
    there: by rule in place, and by math-verify in a worker where rules cannot decide. Problems with
    a scorer (reasoning-gym) are judged by it.
    """

    problem: Problem
    context: Context
    _known: dict[str, bool] = field(default_factory=dict)

    @property
    def has_ground_truth(self) -> bool:
        """Whether answers can be judged."""
        return self.problem.answer is not None or self._has_scorer

    async def right(self, answer: str | None) -> bool | None:
        """Whether the answer is right; a missing answer is wrong. None without a ground truth.

        An answer that could not be judged (a worker ran out of time or crashed) counts as wrong:
        nothing may be trained on it.
        """
        if not self.has_ground_truth:
            return None
        if not answer or len(answer) > MAX_ANSWER_CHARS:
            return False
        if answer not in self._known:
            try:
                self._known[answer] = await self._decide(answer)
            except Exception:  # any parser's error on hostile text, or the worker's crash
                self._known[answer] = False
        return self._known[answer]

    @property
    def _has_scorer(self) -> bool:
        return (self.problem.reward or "").partition("@")[0] == GYM

    async def _decide(self, answer: str) -> bool:
        if self._has_scorer:
            arguments = self.problem.reward_args or ""
            score = await self.context.run_in_worker(score_gym_answer, arguments, answer)
            return is_full_score(score)
        truth = self.problem.answer or ""
        by_rule = equal_by_rule(truth, answer)
        if by_rule is not None:
            return by_rule
        return await self.context.run_in_worker(equal_by_math_verify, truth, answer)


@dataclass
class SearchSession:
    """The traces of one problem, in the order in which they were written (`archive`)."""

    problem: Problem
    settings: CotevolSettings
    context: Context
    judge: AnswerJudge
    archive: list[Trace] = field(default_factory=list)
    spent: int = 0
    _calls: int = 0

    @property
    def shown_answer(self) -> str | None:
        """The ground truth for prompts: None except in the paper's GT mode."""
        return self.problem.answer if self.settings.ground_truth_in_prompts else None

    @property
    def tokens_left(self) -> int | None:
        """Tokens that may still be generated; None without a bound."""
        most = self.settings.max_tokens_per_problem
        return None if most is None else max(0, most - self.spent)

    @property
    def over_budget(self) -> bool:
        """Whether more was generated than allowed: samples of one request end together."""
        most = self.settings.max_tokens_per_problem
        return most is not None and self.spent > most

    def rng(self, purpose: str) -> Random:
        """A random generator for one decision, keyed by its purpose and the number of calls."""
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
            TokensSpent: the tokens of this problem are used up.
        """
        left = self.tokens_left
        if left == 0:
            raise TokensSpent
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

    def count_tokens(self, reply: Reply[Any]) -> int:
        """Add a reply's tokens to those spent, and return them."""
        self.spent += reply.completion.completion_tokens
        return reply.completion.completion_tokens

    async def write(
        self,
        prompt: Prompt[str],
        lineage: Lineage,
        temperature: float,
        n: int = 1,
        prefix: Prefix | None = None,
        cost: int = 0,
    ) -> list[Trace]:
        """Up to `n` traces that begin with `prefix`, judged and archived.

        Traces that exceed the token budget are dropped. `cost` counts the tokens that were
        generated before for these traces alone (a critic's answer).
        """
        given = prefix or Prefix()
        replies = await self.sample(prompt, n, temperature, given.text)
        lineage = lineage.model_copy(update={"temperature": temperature})
        written = []
        for reply in replies:
            trace_cost = self.count_tokens(reply) + cost
            if self.over_budget:
                continue
            trace = self._trace(reply, lineage, given, trace_cost)
            written.append(await self._judged(trace))
            self.archive.append(written[-1])
        return written

    def _trace(self, reply: Reply[str], lineage: Lineage, given: Prefix, cost: int) -> Trace:
        settings, completion = self.settings, reply.completion
        positions = token_positions(
            completion, len(given.text), settings.entropy_base, settings.renormalize
        )
        return Trace(
            id=f"t{len(self.archive)}",
            text=given.text + completion.text,
            lineage=lineage,
            positions=given.positions + positions,
            reasoning=reply.reasoning,
            complete=completion.finish_reason == "stop",
            cost=cost,
            spent=self.spent,
        )

    async def _judged(self, trace: Trace) -> Trace:
        if trace.answer is None or not trace.complete:
            return trace.with_judgement(False, "no boxed answer" if trace.complete else "cut off")
        if self.judge.has_ground_truth:
            right = await self.judge.right(trace.answer)
        else:
            right = await self._self_evaluated(trace)
        return trace.with_judgement(right, self._fault(trace.text))

    def _fault(self, text: str) -> str | None:
        fault = leak(self.problem.text, text)
        if fault is None and self.settings.check_arithmetic:
            fault = false_equation(text)
        return fault

    async def _self_evaluated(self, trace: Trace) -> bool:
        """The model's own opinion, where there is no ground truth; without one it is not right."""
        try:
            reply = await self.generate(
                Evaluate(problem=self.problem.text, solution=trace.text), temperature=0.0
            )
        except TokensSpent:
            return False
        self.count_tokens(reply)
        return reply.malformed is None and reply.unwrap().score >= MIN_SELF_SCORE


def leak(problem: str, text: str) -> str | None:
    """The reason why a solution seems to have been given its answer, or None.

    It is checked whether or not the ground truth was in a prompt: models trained on such traces
    mention a reference answer by themselves.
    """
    messages = [user(problem), assistant(text[-MAX_CHECKED_CHARS:])]
    verdict = _LEAK.judge(Candidate(kind="sft", messages=messages))
    return verdict.reason if verdict.status == "fail" else None


def false_equation(text: str) -> str | None:
    """The reason where a solution contains a false equation between numbers, or None.

    The more traces a search tries, the more of them reach the right answer by luck.
    """
    messages = [assistant(text[-MAX_CHECKED_CHARS:])]
    verdict = _ARITHMETIC.judge(Candidate(kind="sft", messages=messages))
    return verdict.reason if verdict.status == "fail" else None
