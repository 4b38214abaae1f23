"""Running the engine in front of a user: progress, summary, exit code."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import click

from synthmill.flows.hints import hint, next_commands
from synthmill.flows.prefect_runs import configured_api, silence_stderr_at_exit
from synthmill.flows.recipes import changed_recipe
from synthmill.flows.summary import print_summary
from synthmill.flows.terminal.console import output
from synthmill.flows.terminal.faults import RESUMABLE
from synthmill.flows.terminal.options import Chosen
from synthmill.flows.terminal.watching import Watcher, watching
from synthmill.pipelines.run import new_run_id, resume, start
from synthmill.pipelines.run_store import RECIPE_FILE, saved_recipe
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Budget
from synthmill.schemas.report import RunReport
from synthmill.schemas.validation import validated
from synthmill.store.home import Home
from synthmill.store.reports import report_path


def run_recipe(chosen: Chosen, home: Home) -> None:
    """Run a recipe, as a tracked flow run where a Prefect API is configured."""
    recipe = changed_recipe(chosen.where, chosen.changes)
    run_id = new_run_id(recipe)
    title = f"{recipe.name} -> {recipe.output.dataset}"

    def work(watch: Watcher) -> Awaitable[RunReport]:
        if configured_api() is None:
            return start(recipe, home, run_id=run_id, watch=watch)
        silence_stderr_at_exit()
        # The terminal shows the display; Prefect's own lines go to its API.
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        from synthmill.flows.generate import tracked_run

        return tracked_run(chosen.where, chosen.changes, home, run_id, watch)

    show(run_id, title, home, work)


def resume_run(run_id: str, home: Home, target: int | None, more: dict[str, Any]) -> None:
    """Go on with a run; `more` are the bounds of its budget that change."""
    budget = None
    if more:
        old = saved_recipe(home, run_id).budget.model_dump()
        budget = validated(Budget, {**old, **more}, "budget")

    def work(watch: Watcher) -> Awaitable[RunReport]:
        return resume(run_id, home, target=target, budget=budget, watch=watch)

    show(run_id, run_id, home, work)


def show(
    run_id: str, title: str, home: Home, work: Callable[[Watcher], Awaitable[RunReport]]
) -> None:
    """Show a run while it works and what came of it.

    Raises:
        click.exceptions.Exit: it stopped before its end and can be resumed.
        InputError: the user must mend something first.
    """

    async def watched() -> RunReport:
        with watching(console, title) as watch:
            return await work(watch)

    console = output()
    try:
        report = asyncio.run(watched())
    except KeyboardInterrupt:
        if not (home.run(run_id) / RECIPE_FILE).is_file():
            raise click.Abort from None  # there is nothing to resume yet
        click.echo("stopped at once", err=True)
        stopped(run_id, home)
    except InputError as error:
        begun = report_path(home, run_id).is_file()
        then = f"; then: {hint(home, 'resume', run_id)}" if begun else ""
        raise InputError(f"{error}{then}") from error
    print_summary(console, report, next_commands(report, home))
    if report.stop not in ("target met", "source exhausted", "budget spent"):
        stopped(run_id, home)


def stopped(run_id: str, home: Home) -> NoReturn:
    """Say how to go on with a run that did not come to its end."""
    click.echo(f"resume with: {hint(home, 'resume', run_id)}", err=True)
    raise click.exceptions.Exit(RESUMABLE)
