"""Self-evaluation, for problems without a ground truth. The paper's prompt is not public: ours."""

from random import Random

from pydantic import Field

from synthmill.generators.cotevol.prompts.reading import OVERLOOKED, doubtful_step
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record


class Evaluation(Record):
    """How likely a solution is right."""

    score: float = Field(ge=0, le=1, description="probability that the final answer is right")


class Evaluate(Prompt[Evaluation]):
    """Say how likely a solution is right."""

    answer = Evaluation

    problem: str
    solution: str

    def embedded(self, rng: Random) -> str:
        """By rule: a solution without a doubtful step seems right; computing is not checked."""
        seems_right = doubtful_step(self.problem, self.solution, rng) is None
        if rng.random() < OVERLOOKED:
            seems_right = not seems_right
        return Evaluation(score=0.8 if seems_right else 0.2).model_dump_json()
