"""`synthmill log`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import COUNT, home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home
    from synthmill.store.metadata import CommitMetadata, Version


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
    from synthmill.store.dataset import Dataset
    from synthmill.store.tags import read_tags

    opened = Dataset.open(home, dataset)
    tags: dict[int, list[str]] = {}
    for tag, number in read_tags(opened.folder).items():
        tags.setdefault(number, []).append(tag)
    for version in opened.history()[::-1][:most]:
        click.echo(_headline(version, tags.get(version.version, [])))
        if version.commit:
            click.echo(f"  {_origin(version.commit)}")


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
