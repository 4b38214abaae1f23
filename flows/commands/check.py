"""`synthmill check`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import Chosen, home_option, recipe_options

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@recipe_options
@home_option
def check(recipe: Chosen, home: "Home") -> None:
    """Test all that a recipe needs, before anything is spent.

    Source, models, keys, filters and disk; one line each.

    Exit code 0 if all is well, 2 if anything is to be corrected.

    \b
    Examples:
      synthmill check cotevol-demo
      synthmill check my.yaml --source data/problems.jsonl
    """
    from synthmill.flows.terminal.previewing import check_recipe

    check_recipe(recipe, home)
