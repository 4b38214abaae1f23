"""Self-refine, the baseline: a model reviews its own solution and writes it again."""

from random import Random

from synthmill.generators.cotevol.prompts.reading import doubtful_step, first_steps
from synthmill.generators.cotevol.traces import split_steps
from synthmill.models.prompt import Continuation, Prompt


class Refine(Prompt[str]):
    """Find what may be wrong in a draft, and write the whole solution again."""

    problem: str
    draft: str

    def embedded(self, rng: Random) -> Continuation:
        """The shipped model writes on from the first step that seems doubtful, or from any."""
        count = len(split_steps(self.draft))
        if not count:
            return Continuation(problem=self.problem)
        fault = doubtful_step(self.problem, self.draft, rng)
        kept = rng.randrange(count) if fault is None else fault
        return Continuation(problem=self.problem, prefix=first_steps(self.draft, kept))
