"""`synthmill show`."""

from typing import TYPE_CHECKING, Literal

import click

from synthmill.flows.terminal.options import COUNT, home_option, version_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("target", metavar="DATASET|ROW")
@click.option(
    "--rows", type=COUNT, default=3, show_default=True, metavar="N", help="Rows of a dataset."
)
@click.option(
    "--which",
    type=click.Choice(["accepted", "rejected", "all"]),
    default="accepted",
    show_default=True,
    help="Which rows of a dataset, or of a row and its copies, which have one id.",
)
@version_option
@click.option("--open", "on_desktop", is_flag=True, help="As a picture or page, on the desktop.")
@home_option
def show(
    target: str,
    rows: int,
    which: Literal["accepted", "rejected", "all"],
    version: str | None,
    on_desktop: bool,
    home: "Home",
) -> None:
    """Show a row, or the first rows of a dataset.

    A row is named by its id or the beginning of it, or as DATASET/ID to look into an old version.

    \b
    Examples:
      synthmill show cotevol-demo --rows 5
      synthmill show cotevol-demo --which rejected
      synthmill show 4be1f0
      synthmill show cotevol-demo/4be1f0 --version 2 --open
    """
    from synthmill.flows.terminal.showing import find, open_row, print_rows

    dataset, found = find(home, target, rows, version, which)
    if not found:
        click.echo(f"{dataset.name} has no {'' if which == 'all' else which + ' '}rows there")
    elif on_desktop:
        open_row(home, dataset, found[0])
    else:
        print_rows(home, found)
