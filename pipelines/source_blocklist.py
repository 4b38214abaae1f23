"""Rows of deleted sources are rejected, so that a run does not count them as made."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from synthmill.filters.base import Verifier
from synthmill.pipelines.plan import Plan, Stage
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import user
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.row import Candidate
from synthmill.schemas.verdict import Verdict
from synthmill.store.blocklist import is_blocked

REASON = "source was deleted"


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
                return self.verdict("fail", REASON, detail=source.uri)
        return self.verdict("pass")


def barred(patterns: Sequence[str], item: Any) -> Candidate | None:
    """The rejected candidate in the place of an item of a deleted source, or None for others.

    The item is skipped before any call is made for it.
    """
    source = _source_of(item) if patterns else None
    if source is None or not is_blocked(patterns, source):
        return None
    verdict = DeletedSource(patterns).verdict("fail", REASON, detail=source.uri)
    return Candidate(
        kind="corpus", messages=[user("(skipped)")], verdicts=[verdict], sources=[source]
    )


def _source_of(item: Any) -> SourceRef | None:
    """Where a task's item comes from, as far as it says so."""
    origin = getattr(item, "origin", None)
    if isinstance(origin, SourceRef):
        return origin
    uri, sha256 = getattr(item, "uri", None), getattr(item, "sha256", None)
    if not isinstance(uri, str):
        return None
    return SourceRef(uri=uri, sha256=sha256 if isinstance(sha256, str) else None)


def with_blocklist(plan: Plan, patterns: Sequence[str]) -> Plan:
    """The plan, with a check against the dataset's blocklist before all filters if it has one."""
    if not patterns:
        return plan
    stage = Stage(DeletedSource(patterns), FilterSpec(name=DeletedSource.name))
    return replace(plan, verifiers=(stage, *plan.verifiers))
