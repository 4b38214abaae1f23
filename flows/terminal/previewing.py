"""Looking before a run: its parts checked, a few of its rows made."""

import asyncio
import itertools
from collections import Counter

import click

from synthmill.flows.funnel import cost
from synthmill.flows.hints import hint
from synthmill.flows.recipes import changed_recipe
from synthmill.flows.summary import print_outcome
from synthmill.flows.terminal.console import output, text
from synthmill.flows.terminal.faults import MENDABLE
from synthmill.flows.terminal.options import Chosen
from synthmill.flows.terminal.row_view import print_row
from synthmill.flows.terminal.watching import watching
from synthmill.pipelines.check import check
from synthmill.pipelines.run import preview
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.store.home import Home


def check_recipe(chosen: Chosen, home: Home) -> None:
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
        raise click.exceptions.Exit(MENDABLE)


def preview_recipe(chosen: Chosen, home: Home, rows: int) -> None:
    """Print a few rows of a recipe, the accepted ones first, and what a run would count.

    Raises:
        click.exceptions.Exit: it failed, as the last lines say.
        click.Abort: it was interrupted.
    """
    recipe = changed_recipe(chosen.where, chosen.changes)
    console = output()

    async def make() -> tuple[list[Row], RunReport]:
        with watching(console, f"preview of {recipe.name}") as watch:
            return await preview(recipe, home, rows=rows, watch=watch)

    made, report = asyncio.run(make())
    accepted_first = sorted(made, key=lambda row: row.status)
    for row in accepted_first[:rows]:
        print_row(console, row, recipe.generator)
    print_outcome(console, report)
    kinds = Counter(f"{row.status} {row.kind}" for row in made)
    counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    console.print(f"{cost(report)}; made {counts or 'no rows'}; nothing is committed")
    changes = itertools.chain.from_iterable(("--set", change) for change in chosen.changes)
    console.print(text(f"  {hint(home, 'run', chosen.where, *changes)}", "cyan"), soft_wrap=True)
    if report.stop == "interrupted":
        raise click.Abort
    if report.stop == "failed":
        raise click.exceptions.Exit(MENDABLE)
