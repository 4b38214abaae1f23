"""Self-evaluation, for problems without a ground truth. The paper's prompt is not public: ours."""

from pydantic import Field

from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record


class Evaluation(Record):
    """How likely a solution is right."""

    score: float = Field(ge=0, le=1, description="probability that the final answer is right")


class Evaluate(Prompt[Evaluation]):
    """Say how likely a solution is right."""

    problem: str
    solution: str
