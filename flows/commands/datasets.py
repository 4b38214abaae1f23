"""`ls`, `log`, `show`, `why`, `diff`, `sql`, `schema`, `tag`."""

from typing import TYPE_CHECKING, Literal

import click

from synthmill.flows.terminal.options import COUNT, home_option, version_option

if TYPE_CHECKING:
    from synthmill.store.home import Home
    from synthmill.store.metadata import CommitMetadata, Version


DATASETS = """
SELECT name AS dataset, version, accepted, rejected, files,
       round(bytes / 1e6, 1) AS megabytes, strftime(updated_at, '%Y-%m-%d %H:%M') AS updated,
       (SELECT string_agg(tag || '=' || tags.version, ' ' ORDER BY tag) FROM tags
        WHERE tags.dataset = datasets.name) AS tags, problem
FROM datasets WHERE version > 0 OR problem IS NOT NULL ORDER BY name
"""
EMPTY = "SELECT name FROM datasets WHERE version = 0 AND problem IS NULL ORDER BY name"
RUNS = """
SELECT run_id AS run, dataset, state,
       concat_ws(': ', stop, stop_detail[:60]) AS reason, by_kind, target, rejected, failed,
       to_seconds(round(seconds)::BIGINT)::VARCHAR AS duration,
       prompt_tokens AS "prompt tokens", generated_tokens AS "generated tokens",
       round(dollars, 4) AS dollars, strftime(started_at, '%Y-%m-%d %H:%M') AS started
FROM runs ORDER BY started_at DESC, run_id LIMIT 50
"""


@click.command()
@click.option("--runs", is_flag=True, help="The latest runs instead of the datasets.")
@home_option
def ls(runs: bool, home: "Home") -> None:
    """List datasets, or runs.

    A run is running, finished, interrupted, failed or killed: its process is gone without a last
    report. `synthmill resume` continues the newest of the last three.

    \b
    Examples:
      synthmill ls
      synthmill ls --runs
    """
    from synthmill.flows.terminal.console import output, print_table
    from synthmill.store.catalog import refresh
    from synthmill.store.query import query_records

    found = query_records(refresh(home), RUNS if runs else DATASETS)
    empty = [] if runs else [record["name"] for record in query_records(home, EMPTY)]
    if not found and not empty:
        click.echo(f"no {'runs' if runs else 'datasets'} in {home.path} yet")
    if empty:
        said = "has" if len(empty) == 1 else "have"
        click.echo(f"{', '.join(empty)} {said} no rows yet: `synthmill ls --runs` says why")
    if not found:
        return
    kept = [name for name in found[0] if name != "problem" or any(r[name] for r in found)]
    if runs:
        from synthmill.flows.report_text import stored_made_text

        for record in found:
            record["accepted"] = stored_made_text(record["target"], record["by_kind"])
        kept = ["accepted" if name == "by_kind" else name for name in kept if name != "target"]
    print_table(output(), kept, ([record[name] for name in kept] for record in found))


@click.command()
@click.argument("dataset")
@click.option(
    "-n", "most", type=COUNT, default=20, show_default=True, metavar="N", help="Versions to show."
)
@home_option
def log(dataset: str, most: int, home: "Home") -> None:
    """Show the versions of a dataset, newest first.

    When each was made, what it changed, and by which run with which generator, models and recipe,
    or which source was deleted.

    \b
    Examples:
      synthmill log cotevol-demo
      synthmill log cotevol-demo -n 100
    """
    from synthmill.flows.terminal.console import safe
    from synthmill.store.dataset import Dataset
    from synthmill.store.tags import read_tags

    opened = Dataset.open(home, dataset)
    tags: dict[int, list[str]] = {}
    for tag, number in read_tags(opened.folder).items():
        tags.setdefault(number, []).append(tag)
    for version in opened.history()[::-1][:most]:
        click.echo(safe(_headline(version, tags.get(version.version, []))))
        if version.commit:
            click.echo(f"  {safe(_origin(version.commit))}")


def _headline(version: "Version", tags: list[str]) -> str:
    gone = {status: -count for status, count in version.rows_removed.items()}
    changes = [*version.rows_added.items(), *gone.items()]
    denied = version.commit.blocked if version.commit else 0
    parts = [
        f"version {version.version}, {version.committed_at:%Y-%m-%d %H:%M:%S} UTC: "
        f"{version.operation} {version.pattern or ''}".rstrip(),
        *(f"{count:+,} {status}" for status, count in changes),
        *([f"{denied:,} of deleted sources dropped"] if denied else []),
        *(f"tag {tag}" for tag in tags),
    ]
    return ", ".join(parts)


def _origin(commit: "CommitMetadata") -> str:
    models = ", ".join(f"{role} {model}" for role, model in commit.models.items())
    parts = (
        f"run {commit.run_id} batch {commit.batch}",
        commit.generator,
        models,
        f"recipe {commit.recipe_hash}",
        f"synthmill {commit.code_version}",
    )
    return "; ".join(part for part in parts if part)


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
@click.option("-v", "--verbose", is_flag=True, help="Everything: verdicts as a table, the record.")
@click.option("--open", "on_desktop", is_flag=True, help="As a picture or page, on the desktop.")
@home_option
def show(
    target: str,
    rows: int,
    which: Literal["accepted", "rejected", "all"],
    version: str | None,
    verbose: bool,
    on_desktop: bool,
    home: "Home",
) -> None:
    """Show a row, or the first rows of a dataset.

    ROW is an id or its first characters, or DATASET/ID for a row of an old version.

    \b
    Examples:
      synthmill show cotevol-demo --rows 5
      synthmill show cotevol-demo --which rejected
      synthmill show 4be1f0 -v
      synthmill show cotevol-demo/4be1f0 --version 2 --open
    """
    from synthmill.flows.terminal.rows import find, open_row, print_rows

    dataset, found = find(home, target, rows, version, which)
    if dataset.version == 0:
        click.echo(f"{dataset.name} has no rows yet: `synthmill ls --runs` says why")
    elif not found:
        click.echo(f"{dataset.name} has no {'' if which == 'all' else which + ' '}rows there")
    elif on_desktop:
        open_row(home, dataset, found[0])
    else:
        print_rows(home, found, verbose)


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
    from synthmill.flows.terminal.console import output
    from synthmill.flows.terminal.rejections import print_rejections, rejections

    print_rejections(output(), rejections(home, name, most), home)


@click.command()
@click.argument("dataset")
@click.argument("old", required=False)
@click.argument("new", required=False)
@click.option("--rows", is_flag=True, help="Every changed row instead of the counts.")
@home_option
def diff(dataset: str, old: str | None, new: str | None, rows: bool, home: "Home") -> None:
    """Show what changed between two versions of a dataset.

    OLD and NEW are numbers or tags; NEW is the newest by default, OLD the one before it.

    \b
    Examples:
      synthmill diff cotevol-demo
      synthmill diff cotevol-demo 3
      synthmill diff cotevol-demo trained-on-monday latest
      synthmill diff cotevol-demo 3 4 --rows
    """
    from synthmill.flows.terminal.console import output, print_table
    from synthmill.flows.terminal.results import write_table
    from synthmill.store.dataset import Dataset
    from synthmill.store.difference import Difference
    from synthmill.store.tags import resolve

    opened = Dataset.open(home, dataset)
    after = resolve(opened, new)
    before = max(0, after - 1) if old is None else resolve(opened, old)
    change = Difference(opened, before, after)
    if rows:
        write_table(change.rows(), limit=1000)
        return
    counts = change.counts()
    click.echo(f"{dataset}: version {change.old} to {change.new}")
    if counts:
        headings = list(type(counts[0]).model_fields)
        cells = [tuple(count.model_dump().values()) for count in counts]
        print_table(output(), headings, cells)
    else:
        click.echo("the same rows")


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
    """Query the catalog with SQL.

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
    from synthmill.flows.terminal.results import write_csv, write_json, write_table
    from synthmill.store import catalog
    from synthmill.store.query import query as ask

    reader = ask(catalog.refresh(home), query)
    if form == "csv":
        write_csv(reader)
    elif form == "json":
        write_json(reader)
    else:
        write_table(reader, limit)


@click.command()
@click.argument("dataset")
@home_option
def schema(dataset: str, home: "Home") -> None:
    """Show the columns of a dataset: name, SQL type, and what it holds.

    \b
    Examples:
      synthmill schema cotevol-demo
    """
    from synthmill.flows.terminal.console import output, print_table
    from synthmill.store.columns import columns
    from synthmill.store.dataset import Dataset

    print_table(output(), ("column", "type", "what it holds"), columns(Dataset.open(home, dataset)))


@click.command()
@click.argument("dataset")
@click.argument("name", required=False)
@click.argument("version", required=False, metavar="[N]")
@click.option("--delete", is_flag=True, help="Remove the tag; the version stays.")
@home_option
def tag(dataset: str, name: str | None, version: str | None, delete: bool, home: "Home") -> None:
    """Give a version a name, or list the names.

    Without N the newest version is meant. A tag that exists is moved. Wherever a command takes
    --version, it takes a tag.

    \b
    Examples:
      synthmill tag cotevol-demo trained-on-monday
      synthmill tag cotevol-demo good 3
      synthmill tag cotevol-demo
      synthmill tag cotevol-demo good --delete
    """
    from synthmill.store.dataset import Dataset
    from synthmill.store.tags import read_tags, remove_tag, resolve, set_tag

    if name is None and delete:
        raise click.UsageError("--delete needs the NAME of a tag")
    opened = Dataset.open(home, dataset)
    if name is None:
        for known, number in read_tags(opened.folder).items():
            click.echo(f"{known} -> version {number}")
    elif delete:
        remove_tag(opened, name)
        click.echo(f"tag {name} removed")
    else:
        target = set_tag(opened, name, resolve(opened, version))
        click.echo(f"{name} -> version {target}")
