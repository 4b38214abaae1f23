"""Checks, previews and runs on the terminal: progress, summary, exit code."""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, NoReturn

import click
from rich.console import Console

from synthmill.flows.exit_codes import RESUMABLE, USER_ERROR
from synthmill.flows.prefect_runs import configured_api, silence_stderr_at_exit
from synthmill.flows.recipes import changed_recipe
from synthmill.flows.report_text import (
    cost,
    done_text,
    hint,
    length_text,
    next_commands,
    outcome,
    shortfall,
    versions_text,
)
from synthmill.flows.terminal.console import output, text
from synthmill.flows.terminal.options import RecipeSelection
from synthmill.flows.terminal.progress_display import OnProgress, show_progress
from synthmill.flows.terminal.rejections import print_funnel
from synthmill.flows.terminal.rows import print_row, print_rows
from synthmill.pipelines.check import check
from synthmill.pipelines.plan import make_plan
from synthmill.pipelines.run import new_run_id, preview, resume, start
from synthmill.pipelines.run_store import RECIPE_FILE, saved_recipe
from synthmill.schemas.arrow import row_from_record
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Budget
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.schemas.targets import Target
from synthmill.schemas.validation import validated
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.reports import log_path, read_report, report_path, reports, run_state


def run_recipe(chosen: RecipeSelection, home: Home, rows: int = 0) -> None:
    """Run a recipe, as a tracked flow run where a Prefect API is configured.

    At its end, `rows` of its accepted rows are shown.
    """
    recipe = changed_recipe(chosen.where, chosen.changes)
    make_plan(recipe)  # its mistakes are told before there is a run
    run_id = new_run_id(recipe)
    title = f"{recipe.name} -> {recipe.output.dataset}"

    def work(watch: OnProgress) -> Awaitable[RunReport]:
        if configured_api() is None:
            return start(recipe, home, run_id=run_id, on_progress=watch)
        silence_stderr_at_exit()
        # The terminal shows the display; Prefect's own lines go to its API.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        from synthmill.flows.generate import tracked_run

        return tracked_run(chosen.where, chosen.changes, home, run_id, watch)

    show(run_id, title, home, work, rows)


def resume_run(run_id: str | None, home: Home, target: Target | None, more: dict[str, Any]) -> None:
    """Resume a run, or the newest unfinished one; `more` holds the changed bounds of its budget."""
    run_id = run_id or newest_unfinished(home)
    budget = None
    if more:
        old = saved_recipe(home, run_id).budget.model_dump()
        budget = validated(Budget, {**old, **more}, "budget")

    if target is None and not more and report_path(home, run_id).is_file():
        report = read_report(home, run_id)
        if run_state(home, report) == "finished":
            click.echo(f"run {run_id} is finished: {outcome(report)}")
            click.echo("give it a larger bound, such as --target N, or run its recipe again")
            return

    def work(watch: OnProgress) -> Awaitable[RunReport]:
        return resume(run_id, home, target=target, budget=budget, on_progress=watch)

    show(run_id, run_id, home, work)


def newest_unfinished(home: Home) -> str:
    """The newest run of a home that was interrupted or killed, or failed.

    Raises:
        InputError: there is none.
    """
    found = reports(home.require())
    for report in found:
        state = run_state(home, report)
        if state not in ("running", "finished"):
            click.echo(f"the newest unfinished run is {report.run_id} ({state})")
            return report.run_id
    newest = f"the newest, {found[0].run_id}, is {run_state(home, found[0])}" if found else "no run"
    raise InputError(f"there is no unfinished run in {home.path}: {newest}")


def show(
    run_id: str,
    title: str,
    home: Home,
    work: Callable[[OnProgress], Awaitable[RunReport]],
    rows: int = 0,
) -> None:
    """Show the progress of a run, its result, and `rows` of its rows.

    Raises:
        click.exceptions.Exit: it stopped early and can be resumed, or nothing was left to do.
        InputError: the user must correct something.
    """

    async def watched() -> RunReport:
        with show_progress(console, title) as watch:
            return await work(watch)

    console = output()
    console.print(text(f"run {run_id}"), soft_wrap=True)
    try:
        report = asyncio.run(watched())
    except KeyboardInterrupt:
        if not (home.run(run_id) / RECIPE_FILE).is_file():
            raise click.Abort from None  # nothing to resume yet
        click.echo("stopped at once", err=True)
        stopped(run_id, home)
    except InputError as error:
        if not report_path(home, run_id).is_file():
            raise
        raise InputError(f"{error}; then: {hint(home, 'resume', run_id)}") from error
    print_summary(console, report)
    if rows and report.versions:
        print_rows(home, _first_rows(home, report, rows))
    print_next(console, next_commands(report, home))
    if log_path(home, run_id).is_file():
        click.echo(f"tracebacks of failed tasks: {log_path(home, run_id)}")
    if report.stop not in ("target met", "source exhausted", "budget spent"):
        stopped(run_id, home)
    if report.nothing_left:
        raise click.exceptions.Exit(USER_ERROR)


def stopped(run_id: str, home: Home) -> NoReturn:
    """Print how to resume a run that stopped early."""
    click.echo(f"resume with: {hint(home, 'resume', run_id)}", err=True)
    raise click.exceptions.Exit(RESUMABLE)


def check_recipe(chosen: RecipeSelection, home: Home) -> None:
    """Print a line for each thing that a run needs.

    Raises:
        click.exceptions.Exit: something must be corrected.
    """
    recipe = changed_recipe(chosen.where, chosen.changes)
    console = output()

    async def look() -> bool:
        well = True
        async for finding in check(recipe, home):
            mark = text("ok   " if finding.ok else "FAIL ", "green" if finding.ok else "bold red")
            line = text(f"{finding.what}: {finding.detail}")
            console.print(mark + line, soft_wrap=True)
            well = well and finding.ok
        return well

    if not asyncio.run(look()):
        raise click.exceptions.Exit(USER_ERROR)


def preview_recipe(chosen: RecipeSelection, home: Home, rows: int) -> None:
    """Print a few rows of a recipe: accepted ones of each kind, then one for each reason to reject.

    Raises:
        click.exceptions.Exit: it failed, as the last lines say.
        click.Abort: it was interrupted.
    """
    recipe = changed_recipe(chosen.where, chosen.changes)
    console = output()

    async def make() -> tuple[list[Row], RunReport]:
        with show_progress(console, f"preview of {recipe.name}") as watch:
            return await preview(recipe, home, rows=rows, on_progress=watch)

    made, report = asyncio.run(make())
    accepted = [row for row in made if row.status == "accepted"]
    rejected = [row for row in made if row.status == "rejected"]
    shown = one_of_each(accepted, lambda row: row.kind, rows)
    for row in (*shown, *one_of_each(rejected, rejection, rows)):
        print_row(console, row, recipe.generator)
    print_outcome(console, report)
    kinds = Counter(f"{row.status} {row.kind}" for row in made)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    line = f"{cost(report)}; made {counts or 'no rows'}; nothing is committed"
    console.print(line, soft_wrap=True)
    changes = itertools.chain.from_iterable(("--set", change) for change in chosen.changes)
    console.print(text(f"  {hint(home, 'run', chosen.where, *changes)}", "cyan"), soft_wrap=True)
    if report.stop == "interrupted":
        raise click.Abort
    if report.stop == "failed":
        raise click.exceptions.Exit(USER_ERROR)


def one_of_each(rows: Sequence[Row], group: Callable[[Row], Hashable], most: int) -> list[Row]:
    """The first row of each group, then others, in the order of rows: `most`, or all groups."""
    firsts: dict[Hashable, int] = {}
    for number, row in enumerate(rows):
        firsts.setdefault(group(row), number)
    others = [number for number in range(len(rows)) if number not in firsts.values()]
    chosen = sorted([*firsts.values(), *others[: max(0, most - len(firsts))]])
    return [rows[number] for number in chosen]


def rejection(row: Row) -> tuple[str, str | None]:
    """The filter that rejected a row, and its reason."""
    failed = [v for v in row.verdicts if v.status in ("fail", "error")]
    return (failed[-1].filter, failed[-1].reason) if failed else ("", None)


def _first_rows(home: Home, report: RunReport, most: int) -> list[Row]:
    """The first accepted rows of a run, one of each kind before others."""
    batches = Dataset.open(home, report.dataset).rows_since(report.versions[0] - 1)
    records = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
    own = (row for row in map(row_from_record, records) if row.run_id == report.run_id)
    return one_of_each(list(itertools.islice(own, 20 * most)), lambda row: row.kind, most)[:most]


def print_summary(console: Console, report: RunReport) -> None:
    """The outcome, the funnel and the cost."""
    if report.stop == "target met":
        console.print(text(f"Done: {done_text(report)}", "bold green"), soft_wrap=True)
    print_outcome(console, report)
    console.print(f"run {report.run_id}, {length_text(report)}{cost(report)}", soft_wrap=True)
    console.print(f"dataset {report.dataset}, {versions_text(report)}", soft_wrap=True)


def print_next(console: Console, commands: Sequence[str]) -> None:
    """Commands that are useful after a run."""
    console.print("next:")
    for command in commands:
        console.print(text(f"  {command}", "cyan"), soft_wrap=True)


def print_outcome(console: Console, report: RunReport) -> None:
    """Why a run ended, the counts, and the funnel: filters that let all pass in one line."""
    style = "bold green" if report.stop == "target met" else "bold yellow"
    console.print(text(outcome(report), style))
    for line in shortfall(report):
        console.print(text(line, "yellow"), soft_wrap=True)
    silent = [stage.filter for stage in report.funnel if not stage.failed + stage.errors]
    told = [stage for stage in report.funnel if stage.filter not in silent]
    print_funnel(console, told, report.failures)
    if silent:
        console.print(text(f"rejected nothing: {', '.join(silent)}"), soft_wrap=True)
