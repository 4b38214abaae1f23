"""`synthmill maintain`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.option(
    "--keep-days",
    type=click.IntRange(min=0),
    metavar="N",
    help="Make versions unreadable that were superseded longer ago and have no tag.  [default: "
    "keep all]",
)
@home_option
def maintain(keep_days: int | None, home: "Home") -> None:
    """Compact all datasets and delete files that no version reads.

    Many small commits make many small files; compacted, a dataset is read faster. Rows stay as
    they are. Files younger than a day are never deleted.

    \b
    Examples:
      synthmill maintain
      synthmill maintain --keep-days 30
    """
    from synthmill.flows.terminal.console import output
    from synthmill.flows.terminal.faults import MENDABLE
    from synthmill.flows.terminal.looking import require_folder
    from synthmill.flows.terminal.tables import print_table
    from synthmill.store.maintenance import MaintenanceResult, maintain_all

    done, problems = maintain_all(require_folder(home), keep_days)
    if done:
        print_table(output(), [name.replace("_", " ") for name in MaintenanceResult._fields], done)
    else:
        click.echo(f"no datasets in {home.path} yet")
    for problem in problems:
        click.echo(f"synthmill: {problem}", err=True)
    if problems:
        raise click.exceptions.Exit(MENDABLE)
