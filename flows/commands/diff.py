"""`synthmill diff`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("dataset")
@click.argument("old")
@click.argument("new", required=False)
@click.option("--rows", is_flag=True, help="Every changed row instead of the counts.")
@home_option
def diff(dataset: str, old: str, new: str | None, rows: bool, home: "Home") -> None:
    """Show what changed between two versions of a dataset.

    OLD and NEW are numbers or tags; NEW is the newest by default.

    \b
    Examples:
      synthmill diff cotevol-demo 3
      synthmill diff cotevol-demo trained-on-monday latest
      synthmill diff cotevol-demo 3 4 --rows
    """
    from synthmill.flows.terminal.console import output
    from synthmill.flows.terminal.results import write_table
    from synthmill.flows.terminal.tables import print_table
    from synthmill.store.dataset import Dataset
    from synthmill.store.difference import Difference
    from synthmill.store.tags import resolve

    opened = Dataset.open(home, dataset)
    change = Difference(opened, resolve(opened, old), resolve(opened, new))
    if rows:
        write_table(change.rows(), limit=1000)
        return
    counts = change.counts()
    click.echo(f"{dataset}: version {change.old} to {change.new}")
    if counts:
        headings = list(type(counts[0]).model_fields)
        cells = [tuple(count.model_dump().values()) for count in counts]
        print_table(output(), headings, cells)
    else:
        click.echo("the same rows")
