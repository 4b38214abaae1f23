"""Whether an answer is right: one judge for every strategy, so that they compare.

It decides as the filter `answer_equivalence` does, so that what wins here is accepted there: by
rule at once, and by math-verify in a worker process only what rules leave open. Tasks with a
scorer of their own (reasoning-gym) are judged by it.
"""

from dataclasses import dataclass, field

from synthmill.generators.base import Context
from synthmill.rewards.math_answers import equal_by_math_verify, equal_by_rule
from synthmill.sources.base import Problem
from synthmill.sources.reasoning_gym import REWARD as GYM
from synthmill.sources.reasoning_gym import is_full_score, score_gym_answer

LONGEST_ANSWER = 2000  # characters; longer ones are no answers, and parsers take ages over them


@dataclass
class Judge:
    """Judges the answers to one problem, each once."""

    problem: Problem
    context: Context
    _known: dict[str, bool] = field(default_factory=dict)

    @property
    def can_tell(self) -> bool:
        """Whether there is a ground truth to judge by."""
        return self.problem.answer is not None or self._by_gym

    async def right(self, answer: str | None) -> bool | None:
        """Whether the answer is right; no answer is wrong. None: there is no ground truth.

        What could not be decided (a worker ran out of time or died) counts as wrong, for it must
        not be taught.
        """
        if not self.can_tell:
            return None
        if not answer or len(answer) > LONGEST_ANSWER:
            return False
        if answer not in self._known:
            try:
                self._known[answer] = await self._decide(answer)
            except Exception:  # of a worker on hostile text: any parser's error, or its death
                self._known[answer] = False
        return self._known[answer]

    @property
    def _by_gym(self) -> bool:
        return (self.problem.reward or "").partition("@")[0] == GYM

    async def _decide(self, answer: str) -> bool:
        if self._by_gym:
            arguments = self.problem.reward_args or ""
            return is_full_score(
                await self.context.run_in_worker(score_gym_answer, arguments, answer)
            )
        truth = self.problem.answer or ""
        by_rule = equal_by_rule(truth, answer)
        if by_rule is not None:
            return by_rule
        return await self.context.run_in_worker(equal_by_math_verify, truth, answer)
