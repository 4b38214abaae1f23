"""The end of a run, and why rows were rejected: as text for a terminal, as Markdown for Prefect."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Console

from synthmill.flows.funnel import (
    HEADINGS,
    balance,
    cost,
    funnel_rows,
    outcome,
    stop_text,
    top,
)
from synthmill.flows.hints import hint
from synthmill.flows.terminal.console import duration, text
from synthmill.flows.terminal.rejections import Rejections
from synthmill.flows.terminal.tables import print_table
from synthmill.schemas.report import FunnelStage, RunReport
from synthmill.store.home import Home


def print_summary(console: Console, report: RunReport, next_steps: Sequence[str]) -> None:
    """The outcome, the funnel, the cost and where to go next."""
    print_outcome(console, report)
    console.print(f"run {report.run_id}, {_length(report)}{cost(report)}", soft_wrap=True)
    console.print(f"dataset {report.dataset}, {_versions(report)}", soft_wrap=True)
    for command in next_steps:
        console.print(text(f"  {command}", "cyan"), soft_wrap=True)


def print_outcome(console: Console, report: RunReport) -> None:
    """Why a run ended, the counts, and the funnel."""
    style = "bold green" if report.stop == "target met" else "bold yellow"
    console.print(text(outcome(report), style))
    print_funnel(console, report.funnel, report.failures)


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


def markdown(report: RunReport) -> str:
    """The report as Markdown: what a flow run's page shows."""
    lines = [
        f"# {report.recipe}: {stop_text(report.stop, report.stop_detail)}",
        "",
        f"{balance(report.accepted, report.rejected, report.failed)}  ",
        f"{_length(report)}{cost(report)}  ",
        f"dataset `{report.dataset}`, {_versions(report)}, run `{report.run_id}`, "
        f"seed {report.seed}",
        "",
        _markdown_row(HEADINGS),
        _markdown_row(["---", *["---:"] * 5, "---"]),
        *(_markdown_row(row) for row in funnel_rows(report.funnel)),
    ]
    if report.failures:
        lines += ["", f"Failed tasks: {_escaped(top(report.failures))}"]
    return "\n".join(lines)


def _markdown_row(cells: Iterable[object]) -> str:
    return "| " + " | ".join(_escaped(str(cell)) for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _length(report: RunReport) -> str:
    if report.ended_at is None:
        return ""
    return f"{duration((report.ended_at - report.started_at).total_seconds())} long, "


def _versions(report: RunReport) -> str:
    if not report.versions:
        return "no version committed"
    first, last, count = report.versions[0], report.versions[-1], len(report.versions)
    if first == last:
        return f"version {last}"
    # Another run may have written to the dataset meanwhile.
    return f"{'' if count == last - first + 1 else f'{count} of the '}versions {first} to {last}"
