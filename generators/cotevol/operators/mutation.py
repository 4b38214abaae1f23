"""Uncertainty-guided mutation: keep what is before an uncertain step, write the rest anew.

Section 3.4 of the paper, eq. 3-6. The step of highest mean token entropy is chosen, or (ours) one
drawn in proportion to it, and the temperature rises with its entropy.
"""

from random import Random
from typing import Literal

from synthmill.generators.cotevol.entropy import mutation_temperature
from synthmill.generators.cotevol.prompts.mutate import MutateGlobal, MutateLocal
from synthmill.generators.cotevol.traces import Lineage, Trace
from synthmill.generators.cotevol.workshop import Start, Workshop


def choose_step(
    entropies: list[float], rule: Literal["highest", "proportional"], rng: Random
) -> int:
    """The index of the step to mutate; the first of equals, and any where nothing is known.

    Raises:
        ValueError: there are no steps.
    """
    if not entropies:
        raise ValueError("a trace without steps has none to mutate")
    if sum(entropies) <= 0:
        return rng.randrange(len(entropies))
    if rule == "highest":
        return entropies.index(max(entropies))
    return rng.choices(range(len(entropies)), entropies)[0]


async def mutate(workshop: Workshop, parent: Trace, round_: int) -> Trace | None:
    """A trace that goes its own way from an uncertain step of its parent.

    At the first step, or where there are no steps, it is a wholly new one (GLOBAL in the paper).

    Raises:
        Spent: the tokens of this problem are used up.
    """
    settings = workshop.settings
    entropies = parent.step_entropies
    step = choose_step(entropies, settings.step_choice, workshop.rng("step")) if entropies else 0
    entropy = entropies[step] if entropies else 0.0
    temperature = mutation_temperature(
        entropy, settings.init_temperature, settings.entropy_factor, settings.max_temperature
    )
    lineage = Lineage(
        operator="local mutation" if step else "global mutation",
        parents=(parent.id,),
        round=round_,
        step=step,
        entropy=entropy,
    )
    problem, truth = workshop.problem.text, workshop.truth
    if step:
        start = Start.of(parent, parent.steps[step].start)
        made = await workshop.write(
            MutateLocal(problem=problem, truth=truth), lineage, temperature, start=start
        )
    else:
        prompt = MutateGlobal(problem=problem, previous=parent.text, truth=truth)
        made = await workshop.write(prompt, lineage, temperature)
    return made[0] if made else None
