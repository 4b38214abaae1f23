"""`init` and `recipe`."""

from pathlib import Path

import click

TEMPLATE = Path(__file__).parent.parent / "recipe_template.yaml"


@click.group()
def init() -> None:
    """Write a recipe to start from."""


@init.command("recipe")
@click.argument("file", type=click.Path(path_type=Path), required=False)
def init_recipe(file: Path | None) -> None:
    """Write a recipe with a comment on every key to FILE, or print it.

    \b
    Examples:
      synthmill init recipe mine.yaml
      synthmill init recipe > mine.yaml
    """
    text = TEMPLATE.read_text(encoding="utf-8")
    if file is None:
        click.echo(text, nl=False)
        return
    from synthmill.runtime.files import atomic_write
    from synthmill.schemas.errors import InputError
    from synthmill.store.errors import translate_errors

    if file.exists():
        raise InputError(f"{file} exists already; give another name")
    with translate_errors(str(file)):
        atomic_write(file, text)
    click.echo(f"wrote {file}; change it, then: synthmill check {file}")


@click.group()
def recipe() -> None:
    """Print the schema of recipes, or the shipped recipes."""


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
