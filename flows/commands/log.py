"""`synthmill log`."""

from typing import TYPE_CHECKING

import click

from flows.options import home_option

if TYPE_CHECKING:
    from store.home import Home
    from store.metadata import Version


@click.command()
@click.argument("dataset")
@click.option("-n", "most", default=20, show_default=True, metavar="N", help="Versions to show.")
@home_option
def log(dataset: str, most: int, home: "Home") -> None:
    """Show the versions of a dataset, newest first.

    When each was made, what was done, by which run or to which source, and its tags.

    \b
    Examples:
      synthmill log cotevol-demo
      synthmill log cotevol-demo -n 100
    """
    from flows.console import output, plain_table
    from store.dataset import Dataset
    from store.tags import read_tags

    opened = Dataset.open(home, dataset)
    tags: dict[int, list[str]] = {}
    for tag, version in read_tags(opened.folder).items():
        tags.setdefault(version, []).append(tag)
    newest_first = opened.history()[::-1][:most]
    headings = ("version", "committed (UTC)", "operation", "rows", "run or source", "tags")
    rows = [
        (*_cells(version), ", ".join(tags.get(version.version, []))) for version in newest_first
    ]
    output().print(plain_table(headings, rows))


def _cells(version: "Version") -> tuple[object, ...]:
    gone = {status: -count for status, count in version.rows_removed.items()}
    changes = [*version.rows_added.items(), *gone.items()]
    return (
        version.version,
        f"{version.committed_at:%Y-%m-%d %H:%M:%S}",
        version.operation,
        ", ".join(f"{count:+,} {status}" for status, count in changes),
        version.commit.run_id if version.commit else version.pattern or "",
    )
