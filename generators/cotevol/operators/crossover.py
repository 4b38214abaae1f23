"""Reflective crossover: a critic compares two parents, an author writes their child.

Section 3.4 of the paper. The critic is told which parents are right (unless `show_labels` is off)
and never the ground truth.
"""

from synthmill.generators.cotevol.prompts.author import Author
from synthmill.generators.cotevol.prompts.critique import Critique
from synthmill.generators.cotevol.traces import Lineage, Trace
from synthmill.generators.cotevol.workshop import Start, Workshop


async def cross(workshop: Workshop, first: Trace, second: Trace, round_: int) -> Trace | None:
    """The child of two traces; None where the critic gave no usable guidance.

    Raises:
        Spent: the tokens of this problem are used up.
    """
    settings, problem = workshop.settings, workshop.problem.text
    labels = settings.show_labels and workshop.judge.can_tell
    critique = Critique(
        problem=problem,
        first=first.text,
        second=second.text,
        first_right=first.good if labels else None,
        second_right=second.good if labels else None,
    )
    reply = await workshop.generate(critique, settings.init_temperature)
    paid = workshop.pay(reply)
    if reply.malformed is not None:
        return None
    guidance = reply.unwrap()
    kept = first if guidance.keep == "first" else second
    start = _start(kept, guidance.keep_steps) if settings.author == "continue" else Start()
    author = Author(
        problem=problem,
        first=first.text,
        second=second.text,
        guidance=guidance,
        begun=settings.author == "continue",
    )
    lineage = Lineage(
        operator=critique.case,
        parents=(first.id, second.id),
        round=round_,
        step=guidance.keep_steps if start.text else None,
    )
    made = await workshop.write(author, lineage, settings.init_temperature, start=start, paid=paid)
    return made[0] if made else None


def _start(trace: Trace, count: int) -> Start:
    """The first `count` steps of a trace; nothing where that would be all of it."""
    return Start.of(trace, trace.steps[count].start) if count < len(trace.steps) else Start()
