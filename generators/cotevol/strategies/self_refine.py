"""Self-refine, the baseline: first solutions, each reviewed and written again in rounds.

Section 4.1 of the paper: 4 first solutions and 2 rounds.
"""

from synthmill.generators.cotevol.prompts.refine import Refine
from synthmill.generators.cotevol.prompts.solve import Solve
from synthmill.generators.cotevol.traces import Lineage
from synthmill.generators.cotevol.workshop import Workshop


async def self_refine(workshop: Workshop) -> str:
    """Writes `population_size` traces and refines each in `refine_rounds`; returns why it ended.

    Raises:
        Spent: the tokens of this problem are used up.
    """
    settings, problem = workshop.settings, workshop.problem.text
    drafts = await workshop.write(
        Solve(problem=problem),
        Lineage(operator="first"),
        settings.init_temperature,
        n=settings.population_size,
    )
    for round_ in range(1, settings.refine_rounds + 1):
        for index, draft in enumerate(drafts):
            lineage = Lineage(operator="refine", parents=(draft.id,), round=round_)
            prompt = Refine(problem=problem, draft=draft.text)
            better = await workshop.write(prompt, lineage, settings.init_temperature)
            drafts[index] = better[0] if better else draft
    return "all rounds done"
