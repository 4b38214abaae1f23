"""`synthmill init`."""

from pathlib import Path

import click

TEMPLATE = Path(__file__).parent.parent / "recipe_template.yaml"


@click.group()
def init() -> None:
    """Write a recipe to start from."""


@init.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
def recipe(file: Path | None) -> None:
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
    from synthmill.flows.terminal.writing import write_text

    write_text(file, text, new=True)
    click.echo(f"wrote {file}; change it, then: synthmill check {file}")
