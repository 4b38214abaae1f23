"""A first solution."""

from random import Random

from synthmill.models.prompt import Continuation, Prompt


class Solve(Prompt[str]):
    """Solve a problem step by step."""

    problem: str

    def embedded(self, rng: Random) -> Continuation:
        """The shipped model writes."""
        return Continuation(problem=self.problem)
