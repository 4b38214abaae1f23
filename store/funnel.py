"""The funnel of committed rows: what each filter did with the candidates, and why."""

from collections.abc import Iterable, Mapping
from typing import Any

from synthmill.schemas.report import FunnelStage

COUNTERS = {"pass": "passed", "fail": "failed", "error": "errors", "skipped": "skipped"}


def funnel_query(verdicts: str) -> str:
    """SQL that counts verdicts for `funnel_stages`.

    `verdicts` is a relation with the columns `filter`, `version`, `status`, `reason`, `position`.
    """
    return (
        "SELECT filter, version, status, coalesce(reason, status) AS reason, count(*) AS rows "
        f"FROM {verdicts} GROUP BY ALL ORDER BY min(position), filter, rows DESC, reason"
    )


def funnel_stages(records: Iterable[Mapping[str, Any]]) -> list[tuple[FunnelStage, int]]:
    """Each filter's counts, with the filter's version, in the order in which filters ran."""
    stages: dict[tuple[str, int], FunnelStage] = {}
    for record in records:
        key = record["filter"], record["version"]
        stage = stages.setdefault(key, FunnelStage(filter=record["filter"]))
        counter = COUNTERS[record["status"]]
        setattr(stage, counter, getattr(stage, counter) + record["rows"])
        if record["status"] in ("fail", "error"):
            reason = record["reason"]
            stage.reasons[reason] = stage.reasons.get(reason, 0) + record["rows"]
    return [(stage, version) for (_, version), stage in stages.items()]
