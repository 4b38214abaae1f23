"""`synthmill delete-source`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command("delete-source")
@click.argument("dataset")
@click.argument("source")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def delete_source(dataset: str, source: str, yes: bool, home: "Home") -> None:
    """Delete the rows that came from a source, and bar it for good.

    SOURCE is a URI or SHA-256 as the catalog's `sources` lists them; `*` stands for any text. A
    new version lacks the rows; older versions still hold them. Later runs cannot bring them back.

    \b
    Examples:
      synthmill sql 'from sources'
      synthmill delete-source cotevol-demo data/leaked.jsonl
      synthmill delete-source web-facts 'https://bad.example/*' --yes
    """
    from synthmill.store import catalog
    from synthmill.store.dataset import Dataset
    from synthmill.store.deletion import delete_source, rows_of_source

    opened = Dataset.open(home, dataset)
    if not yes:
        doomed = _told(rows_of_source(opened, source))
        click.confirm(f"delete {doomed} of {dataset} and bar {source}?", abort=True)
    done = delete_source(opened, source)
    catalog.rebuild(home)
    click.echo(f"deleted {_told(done.rows)}; {dataset} is at version {done.version}")


def _told(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {status}" for status, count in sorted(rows.items())) or "no rows"
