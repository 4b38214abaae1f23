"""`synthmill tag`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("dataset")
@click.argument("name", required=False)
@click.argument("version", required=False, metavar="[N]")
@click.option("--delete", is_flag=True, help="Forget the tag; the version stays.")
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
        click.echo(f"{name} is forgotten")
    else:
        target = set_tag(opened, name, resolve(opened, version))
        click.echo(f"{name} -> version {target}")
