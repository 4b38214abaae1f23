"""Best-of-n, the baseline: independent solutions until there are enough or tokens run out."""

from synthmill.generators.cotevol.prompts.solve import Solve
from synthmill.generators.cotevol.traces import Lineage
from synthmill.generators.cotevol.workshop import Workshop

# Ours: samples of one request; what is left of a budget is looked at between requests.
AT_ONCE = 4


async def best_of_n(workshop: Workshop) -> str:
    """Writes `samples` traces at `init_temperature`; returns why it ended.

    Raises:
        Spent: the tokens of this problem are used up.
    """
    settings = workshop.settings
    left = settings.samples
    while left:
        n = min(AT_ONCE, left)
        await workshop.write(
            Solve(problem=workshop.problem.text),
            Lineage(operator="first"),
            settings.init_temperature,
            n=n,
        )
        left -= n
    return "all samples made"
