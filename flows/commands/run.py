"""`synthmill run`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import Chosen, home_option, recipe_options

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@recipe_options
@home_option
def run(recipe: Chosen, home: "Home") -> None:
    """Run a recipe until its target is met or its budget is spent.

    RECIPE is a file, or the name of a shipped recipe. Rows are committed to the recipe's dataset
    as the run goes on, accepted and rejected ones. Ctrl-C once ends the run in order, twice at
    once; either way `synthmill resume` goes on from there.

    With a Prefect API configured (PREFECT_API_URL or the active profile) the run is a tracked
    flow run; without one no server is needed.

    \b
    Examples:
      synthmill run cotevol-demo
      synthmill run my.yaml --target 500 --seed 7
      synthmill run videossr --source ~/videos
      synthmill run my.yaml --set models.default.model=qwen3-8b --set budget.dollars=5
    """
    from synthmill.flows.terminal.running import run_recipe

    run_recipe(recipe, home)
