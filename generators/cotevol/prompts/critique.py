"""The critic of the reflective crossover (section 3.4 of the paper, three cases)."""

from typing import Literal

from pydantic import Field

from synthmill.models.prompt import Prompt
from synthmill.schemas.base import Record

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
