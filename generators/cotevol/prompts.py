"""The prompts of CoTEvol (section 3.4 of the paper), each with its template in `prompts/`.

Every template ends with a paragraph that begins with "Problem: ": the embedded model knows problems
and no instructions, and its chat template keeps what follows the last of these marks.
"""

from typing import Literal

from pydantic import Field

from synthmill.generators.cotevol.traces import first_steps
from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record


class Solve(Prompt[str]):
    """Solve a problem step by step."""

    problem: str


class MutateLocal(Prompt[str]):
    """Go on from given steps, which are sent as the beginning of the answer.

    `truth` is given in the paper's GT mode only.
    """

    problem: str
    truth: str | None = None


class MutateGlobal(Prompt[str]):
    """Solve in another way than `previous`, from the first step on."""

    problem: str
    previous: str
    truth: str | None = None


Case = Literal["elite merging", "success-error fusion", "failure pattern summary", "unlabelled"]


class Guidance(Record):
    """What the critic hands to the author; the first two fields are the paper's.

    `keep` and `keep_steps` are ours: which solution's first steps are worth going on from.
    """

    intermediate_result: str = Field(description="a state that can be relied on", max_length=4000)
    guidance_summary: str = Field(description="advice to the author", max_length=4000)
    keep: Literal["first", "second"] = Field(description="the solution whose first steps stay")
    keep_steps: int = Field(ge=0, le=200, description="how many of its steps stay")


class Critique(Prompt[Guidance]):
    """Compare two solutions. Labels say which are right; None hides them.

    A ground truth never comes near this prompt, as in the paper; the labels are all it tells.
    """

    problem: str
    first: str
    second: str
    first_right: bool | None = None
    second_right: bool | None = None

    @property
    def case(self) -> Case:
        """Which of the paper's cases it is."""
        if self.first_right is None or self.second_right is None:
            return "unlabelled"
        if self.first_right and self.second_right:
            return "elite merging"
        if self.first_right or self.second_right:
            return "success-error fusion"
        return "failure pattern summary"


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


class Evaluation(Record):
    """How likely a solution is right."""

    score: float = Field(ge=0, le=1, description="probability that the final answer is right")


class Evaluate(Prompt[Evaluation]):
    """Say how likely a solution is right."""

    problem: str
    solution: str


class Refine(Prompt[str]):
    """Find what may be wrong in a draft, and write the whole solution again."""

    problem: str
    draft: str
