"""`synthmill catalog`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.group()
def catalog() -> None:
    """Rebuild the catalog that SQL reads.

    The catalog is a projection of the datasets and can always be made again; no command needs
    you to.
    """


@catalog.command()
@home_option
def rebuild(home: "Home") -> None:
    """Make the catalog anew from the datasets and run reports.

    \b
    Example:
      synthmill catalog rebuild
    """
    from synthmill.flows.terminal.console import counted
    from synthmill.flows.terminal.looking import require_folder
    from synthmill.store.catalog import rebuild

    problems = rebuild(require_folder(home))
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    click.echo(f"{home.catalog} holds {counted(len(home.dataset_names()), 'dataset')}")
