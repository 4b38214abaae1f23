"""`synthmill sql`."""

from typing import TYPE_CHECKING, Literal

import click

from synthmill.flows.terminal.options import COUNT, home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("query")
@click.option("--csv", "form", flag_value="csv", help="Comma-separated values, with a header.")
@click.option("--json", "form", flag_value="json", help="One JSON object a line.")
@click.option(
    "--limit",
    type=COUNT,
    default=1000,
    show_default=True,
    metavar="N",
    help="Rows of the table at most.",
)
@home_option
def sql(query: str, form: Literal["csv", "json"] | None, limit: int, home: "Home") -> None:
    """Ask the catalog in SQL.

    Every dataset is a view, beside tables about all of them.

    Views of a dataset NAME: "NAME" (accepted rows), "NAME_rejected", "NAME_all", and
    "NAME_at"(version). Of all: datasets, versions, runs, funnel, usage, failures, verdicts,
    sources, tags, files. Read-only; `duckdb FOLDER/catalog.duckdb` opens the same catalog.

    \b
    Examples:
      synthmill sql 'select kind, count(*) from "cotevol-demo" group by kind'
      synthmill sql 'describe "cotevol-demo"'
      synthmill sql 'from runs' --json
      synthmill sql 'select id, answer from "cotevol-demo_at"(3)' --csv > answers.csv
    """
    from synthmill.flows.terminal.looking import refreshed
    from synthmill.flows.terminal.results import write_csv, write_json, write_table
    from synthmill.store.query import query as ask

    reader = ask(refreshed(home), query)
    if form == "csv":
        write_csv(reader)
    elif form == "json":
        write_json(reader)
    else:
        write_table(reader, limit)
