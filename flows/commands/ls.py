"""`synthmill ls`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home

DATASETS = """
SELECT name AS dataset, version, accepted, rejected, files,
       round(bytes / 1e6, 1) AS megabytes, strftime(updated_at, '%Y-%m-%d %H:%M') AS updated,
       (SELECT string_agg(tag || '=' || tags.version, ' ' ORDER BY tag) FROM tags
        WHERE tags.dataset = datasets.name) AS tags, problem
FROM datasets ORDER BY name
"""
RUNS = """
SELECT run_id AS run, dataset, coalesce(stop, 'not ended') AS stop, accepted, rejected, failed,
       strftime(started_at, '%Y-%m-%d %H:%M') AS started
FROM runs ORDER BY started_at DESC, run_id LIMIT 50
"""


@click.command()
@click.option("--runs", is_flag=True, help="The latest runs instead of the datasets.")
@home_option
def ls(runs: bool, home: "Home") -> None:
    """List datasets, or runs.

    \b
    Examples:
      synthmill ls
      synthmill ls --runs
    """
    from synthmill.flows.terminal.console import output
    from synthmill.flows.terminal.looking import ask, refreshed, tuples
    from synthmill.flows.terminal.tables import print_table

    found = ask(refreshed(home), RUNS if runs else DATASETS)
    if not len(found):
        click.echo(f"no {'runs' if runs else 'datasets'} in {home.path} yet")
        return
    kept = [n for n in found.column_names if n != "problem" or found[n].null_count < len(found)]
    print_table(output(), kept, tuples(found.select(kept)))
