"""The stages a candidate passes: verifiers alone, then diversity filters in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from synthmill.filters.run import judge, safe_judge
from synthmill.pipelines.plan import DiversityStage, Stage
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class Undecided(Exception):
    """A filter could not decide, and the recipe says that this stops the run."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A candidate with the verdicts so far; `alive` as long as nothing rejects it."""

    candidate: Candidate
    alive: bool


async def verify(
    candidate: Candidate, stages: Iterable[Stage], context: Any, workers: WorkerPool
) -> Checked:
    """Run the verifiers until one rejects; a generator's own failed check rejects at once.

    Raises:
        Undecided: see there.
    """
    verdicts = list(candidate.verdicts)
    alive = not any(verdict.status == "fail" for verdict in verdicts)
    for stage in stages:
        if not alive:
            break
        verdict = await judge(stage.filter, candidate, context, workers)
        verdicts.append(verdict)
        alive = _lives(verdict, stage)
    return Checked(candidate.model_copy(update={"verdicts": verdicts}), alive)


def review(checked: Checked, stages: Sequence[DiversityStage]) -> Checked:
    """Run the diversity filters until one rejects. Call it in task order.

    Raises:
        Undecided: see there.
    """
    verdicts = list(checked.candidate.verdicts)
    alive = checked.alive
    for stage in stages:
        if not alive:
            break
        verdict = safe_judge(stage.filter, checked.candidate)
        verdicts.append(verdict)
        alive = _lives(verdict, stage)
    return Checked(checked.candidate.model_copy(update={"verdicts": verdicts}), alive)


def remember(row_id: str, candidate: Candidate, stages: Sequence[DiversityStage]) -> None:
    """Tell every diversity filter of an accepted row."""
    for stage in stages:
        stage.filter.add(row_id, candidate)


def _lives(verdict: Verdict, stage: Stage | DiversityStage) -> bool:
    if verdict.status == "error":
        if stage.spec.on_error == "fail":
            raise Undecided(f"{verdict.filter} could not decide: {verdict.reason}")
        return stage.spec.on_error == "accept"
    return verdict.status != "fail"
