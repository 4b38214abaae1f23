"""`synthmill card`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option, version_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("dataset")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="To a file.")
@version_option
@home_option
def card(dataset: str, out: Path | None, version: str | None, home: "Home") -> None:
    """Print the data card of a dataset, as Markdown.

    It is made from what was committed: counts, funnel, sources, licenses, models, limits.

    \b
    Examples:
      synthmill card cotevol-demo
      synthmill card cotevol-demo --version good -o CARD.md
    """
    from synthmill.data_cards.card import card
    from synthmill.flows.terminal.writing import write_text
    from synthmill.store.dataset import Dataset

    text = card(Dataset.open(home, dataset), version)
    if out is None:
        click.echo(text)
    else:
        write_text(out, text)
        click.echo(f"wrote {out}")
