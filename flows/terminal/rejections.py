"""Why rows were rejected: the funnel and its reasons, counted from the rows themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rich.console import Console

from synthmill.flows.report_text import HEADINGS, balance, funnel_rows, hint, stop_text, top
from synthmill.flows.terminal.console import print_table, text
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.report import FunnelStage
from synthmill.store import catalog
from synthmill.store.funnel import funnel_query, funnel_stages
from synthmill.store.home import Home
from synthmill.store.query import query_records
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
    """What happened to all candidates of a dataset, or of one run."""

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
    dataset, run = _named(catalog.refresh(home), name)
    mine = f"run_id = {literal(run)}" if run else "true"
    verdicts = f"verdicts WHERE dataset = {literal(dataset)} AND {mine}"
    found = Rejections(name, _stop(home, run) if run else None)
    counts = f"SELECT status, count(*) AS rows FROM {quoted(dataset + '_all')} WHERE {mine}"
    for record in query_records(home, f"{counts} GROUP BY status"):
        setattr(found, record["status"], record["rows"])
    found.failures = _failures(home, dataset, mine)
    counts_by_filter = query_records(home, funnel_query(verdicts))
    found.funnel = [stage for stage, _ in funnel_stages(counts_by_filter)]
    reasons = query_records(home, REASONS.format(verdicts=verdicts, most=int(most)))
    found.reasons = [Reason(**record) for record in reasons]
    return found


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
    runs = {r["run_id"]: r["dataset"] for r in query_records(home, "FROM runs")}
    if name not in runs:
        known = [*datasets, *runs]
        raise InputError(
            f"there is no dataset or run {name!r} in {home.path}{nearest(name, known)}"
        )
    return runs[name], name


def _stop(home: Home, run: str) -> str:
    query = f"SELECT stop, stop_detail FROM runs WHERE run_id = {literal(run)}"
    (record,) = query_records(home, query)
    return stop_text(record["stop"], record["stop_detail"])


def _failures(home: Home, dataset: str, mine: str) -> dict[str, int]:
    query = (
        "SELECT reason, sum(count)::BIGINT AS tasks FROM failures WHERE stage = 'task' AND run_id "
        f"IN (SELECT run_id FROM runs WHERE dataset = {literal(dataset)} AND {mine}) GROUP BY ALL"
    )
    return {record["reason"]: record["tasks"] for record in query_records(home, query)}


def print_rejections(console: Console, found: Rejections, home: Home) -> None:
    """The funnel of a dataset or run, and its reasons with an example of each."""
    counts = balance(found.accepted, found.rejected, found.failed)
    ended = f"{found.stop}: " if found.stop else ""
    console.print(text(f"{found.name}: {ended}{counts}", "bold"))
    print_funnel(console, found.funnel, found.failures)
    if found.reasons:
        headings = ("rows", "filter", "reason", "for example", "particulars")
        rows = [(r.rows, r.filter, r.reason, r.example, r.detail[:80]) for r in found.reasons]
        print_table(console, headings, rows)
        see = hint(home, "show", found.reasons[0].example, "--which", "rejected")
        console.print(text(f"see one with: {see}"), soft_wrap=True)


def print_funnel(
    console: Console, funnel: Sequence[FunnelStage], failures: Mapping[str, int]
) -> None:
    """The table of filters, and the tasks that failed before they came to any."""
    if funnel:
        print_table(console, HEADINGS, funnel_rows(funnel))
    if failures:
        console.print(text(f"failed tasks: {top(failures)}"))
