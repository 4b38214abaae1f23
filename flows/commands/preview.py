"""`synthmill preview`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import COUNT, Chosen, home_option, recipe_options

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@recipe_options
@click.option("--rows", type=COUNT, default=3, show_default=True, metavar="N", help="Rows to make.")
@home_option
def preview(recipe: Chosen, rows: int, home: "Home") -> None:
    """Make a few rows of a recipe and show them; nothing is committed.

    Model answers stay in the response cache, so a run afterwards does not pay for them again.

    \b
    Examples:
      synthmill preview cotevol-demo
      synthmill preview my.yaml --rows 1 --set generator.settings.rounds=2
    """
    from synthmill.flows.terminal.previewing import preview_recipe

    preview_recipe(recipe, home, rows)
