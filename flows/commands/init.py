"""`synthmill init`."""

from pathlib import Path

import click

TEMPLATE = Path(__file__).parent.parent / "templates" / "recipe.yaml"


@click.group()
def init() -> None:
    """Write a file to start from."""


@init.command()
@click.argument("file", type=click.Path(path_type=Path), default="recipe.yaml")
def recipe(file: Path) -> None:
    """Write a recipe with a comment on every key to FILE (default: recipe.yaml).

    \b
    Examples:
      synthmill init recipe
      synthmill init recipe recipes/olympiad.yaml
    """
    from schemas.errors import InputError

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(TEMPLATE.read_text(encoding="utf-8"))
    except FileExistsError as error:
        raise InputError(f"{file} exists already; give another name") from error
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {file}; change it, then: synthmill check {file}")
