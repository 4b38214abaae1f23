"""`synthmill why`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import COUNT, home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("name", metavar="DATASET|RUN")
@click.option(
    "-n", "most", type=COUNT, default=10, show_default=True, metavar="N", help="Reasons to show."
)
@home_option
def why(name: str, most: int, home: "Home") -> None:
    """Show why rows were rejected, with an example of each reason.

    First the funnel: what reached each filter and what it did with it.

    \b
    Examples:
      synthmill why cotevol-demo
      synthmill why cotevol-demo-20261120-093000-3f2a -n 30
    """
    from synthmill.flows.summary import print_rejections
    from synthmill.flows.terminal.console import output
    from synthmill.flows.terminal.rejections import rejections

    print_rejections(output(), rejections(home, name, most), home)
