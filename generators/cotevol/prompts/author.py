"""The author of the reflective crossover (section 3.4 of the paper)."""

from random import Random

from synthmill.generators.cotevol.prompts.critique import Guidance
from synthmill.generators.cotevol.prompts.reading import first_steps
from synthmill.models.prompt import Continuation, Prompt


class Author(Prompt[str]):
    """Write a new solution from two others and the critic's guidance.

    `begun` says that the kept steps are sent as the beginning of the answer, to go on from.
    """

    problem: str
    first: str
    second: str
    guidance: Guidance
    begun: bool

    @property
    def kept(self) -> str:
        """The steps that the critic would keep."""
        solution = self.first if self.guidance.keep == "first" else self.second
        return first_steps(solution, self.guidance.keep_steps) if solution.strip() else ""

    def embedded(self, rng: Random) -> Continuation:
        """The shipped model writes on behind the kept steps, which a rule copies unless begun."""
        return Continuation(problem=self.problem, prefix="" if self.begun else self.kept)
