"""Mutation: another way on from a step, or another way altogether (section 3.4 of the paper)."""

from random import Random

from synthmill.models.prompt import Continuation, Prompt


class MutateLocal(Prompt[str]):
    """Go on from given steps, which are sent as the beginning of the answer.

    `truth` is given in the paper's GT mode only.
    """

    problem: str
    truth: str | None = None

    def embedded(self, rng: Random) -> Continuation:
        """The shipped model writes on behind the given steps."""
        return Continuation(problem=self.problem)


class MutateGlobal(Prompt[str]):
    """Solve in another way than `previous`, from the first step on."""

    problem: str
    previous: str
    truth: str | None = None

    def embedded(self, rng: Random) -> Continuation:
        """The shipped model writes; it cannot read `previous`, so only chance makes it differ."""
        return Continuation(problem=self.problem)
