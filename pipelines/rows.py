"""From a judged candidate to its row: diversity filters, identity, split and status."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from synthmill.generators.base import Judged
from synthmill.pipelines.accepted_ids import AcceptedIds
from synthmill.pipelines.judging import compare
from synthmill.pipelines.plan import Plan
from synthmill.schemas.identity import content_id, keyed_seed
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.messages import user
from synthmill.schemas.row import Candidate, Row
from synthmill.schemas.targets import Targets
from synthmill.schemas.verdict import Verdict

COPY = Verdict(filter="unique_id", status="fail", reason="already in the dataset")
ENOUGH = Verdict(filter="target", status="fail", reason="target of this kind met")


class RowMaker:
    """Makes the rows of one run; call it in the order of tasks, as diversity filters need it."""

    def __init__(self, plan: Plan, run_id: str, accepted: AcceptedIds) -> None:
        self._plan = plan
        self._run_id = run_id
        self._accepted = accepted
        self._targets = Targets(plan.recipe.target)

    def make(
        self,
        task_key: str,
        judged: Judged,
        costs: Mapping[str, Any],
        accepted_by_kind: Mapping[str, int],
    ) -> Row:
        """The row of a verified candidate; the diversity filters remember it if it is accepted.

        The number of its kind is looked at last, so that a row which it rejects is as good as the
        accepted ones.

        Raises:
            FilterError: a filter could not decide, and the recipe says that this stops the run.
        """
        row_id = content_id(judged.candidate)
        if judged.accepted and row_id in self._accepted:
            judged = replace(judged, verdicts=(*judged.verdicts, COPY), accepted=False)
        judged = compare(judged, self._plan.diversity)
        if judged.accepted and self._targets.full(judged.candidate.kind, accepted_by_kind):
            judged = replace(judged, verdicts=(*judged.verdicts, ENOUGH), accepted=False)
        if judged.accepted:
            self._accepted.add(row_id)
            for stage in self._plan.diversity:
                stage.filter.add(row_id, judged.candidate)
        values = {**dict(judged.candidate), **costs, "verdicts": list(judged.verdicts)}
        return Row(
            **values,
            id=row_id,
            generator=self._plan.generator.label,
            task_key=task_key,
            split=split_of(task_key, self._plan.recipe.output.splits),
            status="accepted" if judged.accepted else "rejected",
            run_id=self._run_id,
            recipe_hash=self._plan.recipe_hash,
            created_at=datetime.now(UTC),
        )


def copy_rejected(row: Row) -> Row:
    """An accepted row, rejected since the dataset has accepted its id from another run."""
    return row.model_copy(update={"status": "rejected", "verdicts": [*row.verdicts, COPY]})


def split_of(task_key: str, shares: dict[str, float]) -> str:
    """The split of a task: a hash of its key alone, so that it stays when a dataset grows."""
    point = keyed_seed("split", task_key) / 2**63
    for name, share in shares.items():
        point -= share
        if point < 0:
            return name
    return list(shares)[-1]


def unreadable(item: InvalidItem) -> Candidate:
    """The candidate that says why an item of the source cannot be read."""
    verdict = Verdict(filter="source", status="fail", reason=item.reason, detail=item.detail)
    return Candidate(
        kind="corpus", messages=[user(item.excerpt)], verdicts=[verdict], sources=[item.origin]
    )
