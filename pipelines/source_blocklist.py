"""Rows of deleted sources are rejected, so that a run does not count them as made."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from synthmill.filters.base import Verifier
from synthmill.pipelines.plan import Plan, Stage
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.store.blocklist import is_blocked


class DeletedSource(Verifier):
    """Rejects a candidate with a source that was deleted from the dataset.

    The commit drops such rows whatever their status; without this verifier a run would count
    them towards its target, and its report would count rows that do not exist.
    """

    name: ClassVar[str] = "deleted_source"

    def __init__(self, patterns: Sequence[str]) -> None:
        super().__init__()
        self._patterns = patterns

    def judge(self, candidate: Candidate) -> Verdict:
        """The verdict."""
        for source in candidate.sources:
            if is_blocked(self._patterns, source):
                return self.verdict("fail", "source was deleted", detail=source.uri)
        return self.verdict("pass")


def with_blocklist(plan: Plan, patterns: Sequence[str]) -> Plan:
    """The plan, with a check against the dataset's blocklist before all filters if it has one."""
    if not patterns:
        return plan
    stage = Stage(DeletedSource(patterns), FilterSpec(name=DeletedSource.name))
    return replace(plan, verifiers=(stage, *plan.verifiers))
