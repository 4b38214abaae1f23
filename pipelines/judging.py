"""How a candidate is judged: verifiers alone, then diversity filters in task order."""

from collections.abc import Sequence
from dataclasses import replace

from synthmill.filters.base import DiversityFilter, Filter, FilterContext
from synthmill.filters.run import judge, safe_judge
from synthmill.generators.base import Judged
from synthmill.pipelines.plan import Stage, Verifying
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict


class FilterError(Exception):
    """A filter could not decide, and the recipe says that this stops the run."""


async def verify(
    candidate: Candidate,
    stages: Sequence[Stage[Verifying]],
    context: FilterContext,
    workers: WorkerPool,
) -> Judged:
    """Run the verifiers until one rejects; a generator's own failed check rejects at once.

    A filter whose `pass` the candidate comes with does not run again: a generator had it judged
    (`Context.verify`), and then added to the candidate what the filter does not read.

    Raises:
        FilterError: see there.
    """
    verdicts = list(candidate.verdicts)
    accepted = not any(verdict.status == "fail" for verdict in verdicts)
    passed = {(verdict.filter, verdict.version) for verdict in verdicts if verdict.status == "pass"}
    for stage in stages:
        if not accepted:
            break
        if (stage.filter.name, stage.filter.version) in passed:
            continue
        verdict = await judge(stage.filter, candidate, context, workers)
        verdicts.append(verdict)
        accepted = _passes(verdict, stage)
    return Judged(candidate, tuple(verdicts), accepted)


def compare(judged: Judged, stages: Sequence[Stage[DiversityFilter]]) -> Judged:
    """Run the diversity filters until one rejects. Call it in task order.

    Raises:
        FilterError: see there.
    """
    for stage in stages:
        if not judged.accepted:
            break
        verdict = safe_judge(stage.filter, judged.candidate)
        judged = replace(
            judged,
            verdicts=(*judged.verdicts, verdict),
            accepted=_passes(verdict, stage),
        )
    return judged


def _passes(verdict: Verdict, stage: Stage[Filter]) -> bool:
    if verdict.status == "error":
        if stage.spec.on_error == "fail":
            raise FilterError(f"{verdict.filter} could not decide: {verdict.reason}")
        return stage.spec.on_error == "accept"
    return verdict.status != "fail"
