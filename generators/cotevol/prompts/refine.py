"""Self-refine, the baseline: a model reviews its own solution and writes it again."""

from synthmill.models.prompt import Prompt


class Refine(Prompt[str]):
    """Find what may be wrong in a draft, and write the whole solution again."""

    problem: str
    draft: str
