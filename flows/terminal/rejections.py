"""Why rows were rejected: the funnel and its reasons, told from the rows themselves."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from synthmill.flows.funnel import stop_text
from synthmill.flows.terminal.looking import ask, refreshed
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.report import FunnelStage
from synthmill.store.home import Home
from synthmill.store.sql import literal, quoted


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason of rejection, how many rows it met, and one of them."""

    filter: str
    reason: str
    rows: int
    example: str
    detail: str


@dataclass(slots=True)
class Rejections:
    """What became of all that was emitted into a dataset, or by one run."""

    name: str
    stop: str | None = None  # of a run: why it ended
    accepted: int = 0
    rejected: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    funnel: list[FunnelStage] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Tasks that failed before they gave a row."""
        return sum(self.failures.values())


def rejections(home: Home, name: str, most: int) -> Rejections:
    """The rejections of the dataset or run `name`, with the `most` most frequent reasons.

    Raises:
        InputError: there is no such dataset or run.
    """
    dataset, run = _named(refreshed(home), name)
    mine = f"run_id = {literal(run)}" if run else "true"
    verdicts = f"verdicts WHERE dataset = {literal(dataset)} AND {mine}"
    found = Rejections(name, _stop(home, run) if run else None)
    counts = f"SELECT status, count(*) AS rows FROM {quoted(dataset + '_all')} WHERE {mine}"
    for record in ask(home, f"{counts} GROUP BY status").to_pylist():
        setattr(found, record["status"], record["rows"])
    found.failures = _failures(home, dataset, mine)
    found.funnel = _funnel(ask(home, FUNNEL.format(verdicts=verdicts)).to_pylist())
    reasons = ask(home, REASONS.format(verdicts=verdicts, most=int(most))).to_pylist()
    found.reasons = [Reason(**record) for record in reasons]
    return found


FUNNEL = """
SELECT filter, status, coalesce(reason, status) AS reason, count(*) AS rows
FROM {verdicts} GROUP BY ALL ORDER BY min(position), filter, rows DESC, reason
"""
REASONS = """
SELECT filter, coalesce(reason, status) AS reason, count(*) AS rows, min(id) AS example,
       coalesce(arg_min(detail, id), '') AS detail
FROM {verdicts} AND row_status = 'rejected' AND status IN ('fail', 'error')
GROUP BY ALL ORDER BY rows DESC, filter, reason LIMIT {most}
"""


def _named(home: Home, name: str) -> tuple[str, str | None]:
    """The dataset and, where `name` is a run, the run."""
    datasets = home.dataset_names()
    if name in datasets:
        return name, None
    runs = {r["run_id"]: r["dataset"] for r in ask(home, "FROM runs").to_pylist()}
    if name not in runs:
        known = [*datasets, *runs]
        raise InputError(
            f"there is no dataset or run {name!r} in {home.path}{nearest(name, known)}"
        )
    return runs[name], name


def _stop(home: Home, run: str) -> str:
    query = f"SELECT stop, stop_detail FROM runs WHERE run_id = {literal(run)}"
    (record,) = ask(home, query).to_pylist()
    return stop_text(record["stop"], record["stop_detail"])


def _failures(home: Home, dataset: str, mine: str) -> dict[str, int]:
    query = (
        "SELECT reason, sum(count)::BIGINT AS tasks FROM failures WHERE stage = 'task' AND run_id "
        f"IN (SELECT run_id FROM runs WHERE dataset = {literal(dataset)} AND {mine}) GROUP BY ALL"
    )
    return {record["reason"]: record["tasks"] for record in ask(home, query).to_pylist()}


FIELDS = {"pass": "passed", "fail": "failed", "error": "errors", "skipped": "skipped"}


def _funnel(records: Iterable[dict[str, object]]) -> list[FunnelStage]:
    """Stages from counts by filter, status and reason, in the order of the records."""
    stages: dict[str, dict[str, int]] = {}
    reasons: dict[str, dict[str, int]] = {}
    for record in records:
        name, status, rows = str(record["filter"]), str(record["status"]), int(str(record["rows"]))
        stage = stages.setdefault(name, {})
        stage[FIELDS[status]] = stage.get(FIELDS[status], 0) + rows
        if status in ("fail", "error"):
            reason = reasons.setdefault(name, {})
            reason[str(record["reason"])] = reason.get(str(record["reason"]), 0) + rows
    return [
        FunnelStage.model_validate({"filter": name, **counts, "reasons": reasons.get(name, {})})
        for name, counts in stages.items()
    ]
