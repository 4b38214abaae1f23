"""What one task brings: its candidates, judged by the verifiers, with what they cost."""

from collections import Counter
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass, field
from typing import Any

from synthmill.generators.base import Generator, Judged, Task
from synthmill.pipelines.context import Services, TaskContext
from synthmill.pipelines.plan import Plan
from synthmill.pipelines.rows import unreadable
from synthmill.pipelines.source_blocklist import SourceDeletedError
from synthmill.pipelines.stop_conditions import Progression
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.row import Candidate
from synthmill.schemas.targets import Targets
from synthmill.schemas.usage import Usage


@dataclass(slots=True)
class TaskResult:
    """A finished task: its verified candidates with their costs, or why it failed."""

    task: Task | None
    usage: Usage = field(default_factory=Usage)
    candidates: list[tuple[Judged, dict[str, Any]]] = field(default_factory=list)
    failure: str | None = None

    @property
    def progression(self) -> Progression:
        """What it brought and used."""
        return Progression(
            tasks=self.task is not None,
            by_kind=Counter(j.candidate.kind for j, _ in self.candidates if j.accepted),
            emitted=len(self.candidates) + (self.failure is not None),
            tokens=self.usage.tokens,
            dollars=self.usage.dollars,
        )


async def generate(plan: Plan, services: Services, index: int, result: TaskResult) -> None:
    """Add the verified candidates of `result.task`, which has this index, to the result.

    Where its source is deleted meanwhile, the rejected candidate that says so takes their place.
    What the generator raises is raised.
    """
    task = result.task
    assert task is not None
    candidate = services.barred(task.item)
    if candidate is None and isinstance(task.item, InvalidItem):
        candidate = unreadable(task.item)
    if candidate is not None:
        result.candidates.append((_rejected(candidate), {}))
        return
    with closing(TaskContext(services, task.key, index, result.usage, task.item)) as context:
        with suppress(SourceDeletedError):
            async with aclosing(plan.generator.generate(task, context)) as candidates:
                async for candidate in candidates:
                    judged = await _verified(plan, candidate, context)
                    result.candidates.append((judged, context.take_costs(candidate)))
        if candidate := services.barred(task.item):
            result.candidates[:] = [(_rejected(candidate), context.take_costs(candidate))]


def _rejected(candidate: Candidate) -> Judged:
    return Judged(candidate, tuple(candidate.verdicts), False)


async def _verified(plan: Plan, candidate: Candidate, context: TaskContext) -> Judged:
    """The judged candidate; of a kind that is not wanted, nothing is spent on verifiers.

    Raises:
        TypeError: it is no candidate, or of a kind that the generator does not declare.
    """
    if not isinstance(candidate, Candidate):
        raise TypeError(f"a generator yields objects of Candidate, not {candidate!r:.80}")
    if Targets(plan.recipe.target).limits.get(candidate.kind) == 0:
        own = tuple(candidate.verdicts)
        return Judged(candidate, own, all(verdict.status != "fail" for verdict in own))
    judged = await context.verify(candidate)
    generator: Generator[Any] = plan.generator
    if judged.accepted and generator.kinds and candidate.kind not in generator.kinds:
        raise TypeError(
            f"generator {generator.label} declares {', '.join(generator.kinds)} rows, "
            f"not {candidate.kind}"
        )
    return judged
