"""`synthmill recipe`."""

import click


@click.group()
def recipe() -> None:
    """Print what a recipe may say."""


@recipe.command()
def schema() -> None:
    """Print the JSON schema of recipes.

    It holds the settings of every built-in plug-in, so editors complete and check recipes with
    it: put the line
    `# yaml-language-server: $schema=recipe.schema.json` on top of a recipe.

    \b
    Example:
      synthmill recipe schema > recipe.schema.json
    """
    import json

    from synthmill.flows.terminal.recipe_schema import recipe_schema

    click.echo(json.dumps(recipe_schema(), indent=2))


@recipe.command()
def names() -> None:
    """List the recipes that are shipped.

    \b
    Example:
      synthmill recipe names
    """
    from synthmill.flows.recipes import shipped_recipes
    from synthmill.flows.terminal.console import output
    from synthmill.flows.terminal.tables import print_table

    print_table(output(), ("recipe", "dataset", "generator"), shipped_recipes())
