"""The author of the reflective crossover (section 3.4 of the paper)."""

from synthmill.generators.cotevol.prompts.critique import Guidance
from synthmill.generators.cotevol.traces import first_steps
from synthmill.models.prompt import Prompt


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
