"""`init` and `recipe`."""

from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "data",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Problems of your own: .jsonl, .csv, .tsv or .parquet.",
)
@click.option("--problem", metavar="FIELD", help="Its field with the question.  [default: guessed]")
@click.option("--answer", metavar="FIELD", help="Its field with the answer.  [default: guessed]")
@click.option("--id", metavar="FIELD", help="Its field with a unique id.  [default: guessed]")
def init(folder: Path, data: Path | None, **fields: str | None) -> None:
    """Write a project: a recipe, problems, a filter and a README.

    The project runs as it is, with the model that is shipped. Files that exist are never changed.

    With --from the recipe reads your file. Which field is which is guessed from names and
    contents, and shown.

    \b
    Examples:
      synthmill init my-project
      synthmill init my-project --from problems.csv
      synthmill init . --from problems.jsonl --problem ask --answer gold
    """
    from synthmill.flows.terminal.projects import init_project

    init_project(folder, data, fields)


@click.group()
def recipe() -> None:
    """Print a template or the schema of recipes, or the shipped recipes."""


@recipe.command()
def template() -> None:
    """Print a recipe with a comment on every key.

    \b
    Example:
      synthmill recipe template > mine.yaml
    """
    from synthmill.flows.projects import recipe_template

    click.echo(recipe_template(), nl=False)


@recipe.command()
def schema() -> None:
    """Print the JSON schema of recipes.

    It contains the settings of every built-in plug-in, so that editors can complete and check
    recipes: put the line
    `# yaml-language-server: $schema=recipe.schema.json` on top of a recipe.

    \b
    Example:
      synthmill recipe schema > recipe.schema.json
    """
    import json

    from synthmill.flows.terminal.plugins import recipe_schema

    click.echo(json.dumps(recipe_schema(), indent=2))


@recipe.command()
def names() -> None:
    """List the recipes that are shipped.

    \b
    Example:
      synthmill recipe names
    """
    from synthmill.flows.recipes import shipped_recipes
    from synthmill.flows.terminal.console import output, print_table

    print_table(output(), ("recipe", "dataset", "generator"), shipped_recipes())
