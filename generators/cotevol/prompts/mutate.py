"""Mutation: another way on from a step, or another way altogether (section 3.4 of the paper)."""

from synthmill.models.prompt import Prompt


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
