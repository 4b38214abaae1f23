"""A first solution."""

from synthmill.models.prompt import Prompt


class Solve(Prompt[str]):
    """Solve a problem step by step."""

    problem: str
