"""`maintain`, `delete-source`, `catalog`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.option(
    "--keep-days",
    type=click.IntRange(0, 36_500),
    metavar="N",
    help="Make versions unreadable that were superseded longer ago and have no tag.  [default: "
    "keep all]",
)
@home_option
def maintain(keep_days: int | None, home: "Home") -> None:
    """Compact all datasets and delete files that no version reads.

    Many commits make many small files; a compacted dataset is read faster. Rows do not change.
    Files younger than a day are never deleted.

    \b
    Examples:
      synthmill maintain
      synthmill maintain --keep-days 30
    """
    from synthmill.flows.exit_codes import USER_ERROR
    from synthmill.flows.terminal.console import output, print_table
    from synthmill.store.maintenance import MaintenanceResult, maintain_all

    done, problems = maintain_all(home.require(), keep_days)
    if done:
        print_table(output(), [name.replace("_", " ") for name in MaintenanceResult._fields], done)
    else:
        click.echo(f"no datasets in {home.path} yet")
    for problem in problems:
        click.echo(f"synthmill: {problem}", err=True)
    if problems:
        raise click.exceptions.Exit(USER_ERROR)


@click.command("delete-source")
@click.argument("dataset")
@click.argument("source")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def delete_source(dataset: str, source: str, yes: bool, home: "Home") -> None:
    """Delete the rows of a source, and block it for later runs.

    SOURCE is a URI or SHA-256 as the catalog's `sources` lists them; `*` stands for any text. The
    rows are missing from a new version; older versions keep them. Later commits drop such rows.

    \b
    Examples:
      synthmill sql 'from sources'
      synthmill delete-source cotevol-demo data/leaked.jsonl
      synthmill delete-source web-facts 'https://bad.example/*' --yes
    """
    from synthmill.schemas.errors import InputError
    from synthmill.store import catalog
    from synthmill.store.dataset import Dataset
    from synthmill.store.deletion import delete_source, rows_of_source

    opened = Dataset.open(home, dataset)
    if not yes:
        counts = _counts(rows_of_source(opened, source))
        click.confirm(f"delete {counts} of {dataset} and block {source}?", abort=True)
    done = delete_source(opened, source)
    click.echo(f"deleted {_counts(done.rows)}; {dataset} is at version {done.version}")
    try:
        catalog.rebuild(home)
    except InputError as error:
        click.echo(f"the catalog does not show it yet: {error}", err=True)


def _counts(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(rows.items())) or "no rows"


@click.group()
def catalog() -> None:
    """Rebuild the catalog that SQL reads.

    The catalog is made from the datasets and kept up to date by all commands.
    """


@catalog.command()
@home_option
def rebuild(home: "Home") -> None:
    """Rebuild the catalog from the datasets and run reports.

    \b
    Example:
      synthmill catalog rebuild
    """
    from synthmill.flows.report_text import counted
    from synthmill.store.catalog import rebuild

    problems = rebuild(home.require())
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    click.echo(f"{home.catalog} holds {counted(len(home.dataset_names()), 'dataset')}")
