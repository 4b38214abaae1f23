"""`refilter`, `merge`, `copy`, `rename`, `drop`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option, version_option

if TYPE_CHECKING:
    from synthmill.store.home import Home

set_option = click.option(
    "--set", "settings", multiple=True, metavar="FILTER.KEY=VALUE", help="A setting of a filter."
)
models_option = click.option(
    "--models", metavar="RECIPE", help="Recipe whose models the filters ask."
)


def _names(ctx: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


@click.command()
@click.argument("dataset")
@click.option(
    "--with",
    "filters",
    multiple=True,
    required=True,
    callback=_names,
    metavar="FILTERS",
    help="Names, ./file.py:name or a recipe, with commas or several times.",
)
@set_option
@models_option
@click.option(
    "--readmit", is_flag=True, help="Accept rejected rows again that no verdict rejects any more."
)
@home_option
def refilter(
    dataset: str,
    filters: list[str],
    settings: tuple[str, ...],
    models: str | None,
    readmit: bool,
    home: "Home",
) -> None:
    """Judge the rows of a dataset again, as a new version.

    Accepted rows are judged by the filters of --with; those that fail are rejected, with the reason
    among their verdicts. Old versions keep the rows as they were. A new verdict replaces the one of
    a filter of the same name. With --readmit, rejected rows are judged too, if only filters of
    --with had rejected them.

    \b
    Examples:
      synthmill refilter cotevol-demo --with length --set length.max_words=200
      synthmill refilter cotevol-demo --with ./my_filters.py:short_sentences,minhash
      synthmill refilter cotevol-demo --with cotevol-demo --readmit
      synthmill diff cotevol-demo
    """
    from synthmill.flows import dataset_api as api
    from synthmill.flows.recipes import settings_of
    from synthmill.flows.terminal.arranging import print_refilter
    from synthmill.flows.terminal.progress_display import show_count

    with show_count(f"refilter {dataset}") as on_progress:
        done = api.refilter(
            dataset,
            filters,
            settings=settings_of(settings),
            models=models,
            readmit=readmit,
            home=home.path,
            on_progress=on_progress,
        )
    print_refilter(done)


@click.command()
@click.argument("datasets", nargs=-1, required=True)
@click.option("--into", "new", required=True, metavar="NAME", help="The new dataset.")
@click.option(
    "--with",
    "filters",
    multiple=True,
    callback=_names,
    metavar="FILTERS",
    help="Judge the merged rows by these (minhash, say), as refilter does.",
)
@set_option
@models_option
@home_option
def merge(
    datasets: tuple[str, ...],
    new: str,
    filters: list[str],
    settings: tuple[str, ...],
    models: str | None,
    home: "Home",
) -> None:
    """Merge datasets into a new one.

    Every id is accepted once; of copies, the row of the dataset named first stays. Rows keep their
    run, sources, licenses and verdicts, and media files come along. The old datasets do not change.

    \b
    Examples:
      synthmill merge math-a math-b --into math
      synthmill merge math-a math-b --into math --with minhash
    """
    from synthmill.flows import dataset_api as api
    from synthmill.flows.recipes import settings_of
    from synthmill.flows.report_text import counted
    from synthmill.flows.terminal.arranging import print_refilter
    from synthmill.flows.terminal.progress_display import show_count

    with show_count(f"merge into {new}") as on_progress:
        done = api.merge_datasets(
            datasets,
            new,
            filters=filters,
            settings=settings_of(settings),
            models=models,
            home=home.path,
            on_progress=on_progress,
        )
    click.echo(f"{new}: {done.accepted:,} accepted, {done.rejected:,} rejected")
    if done.repeated:
        click.echo(f"left out {counted(done.repeated, 'row')}: there already")
    if done.blocked:
        click.echo(f"left out {counted(done.blocked, 'row')}: of blocked sources")
    if done.refiltered:
        print_refilter(done.refiltered)


@click.command()
@click.argument("dataset")
@click.argument("new")
@version_option
@home_option
def copy(dataset: str, new: str, version: str | None, home: "Home") -> None:
    """Copy a dataset, with its versions up to --version.

    The copy shares its files with the original where the disk can, and changes on its own.

    \b
    Examples:
      synthmill copy cotevol-demo before-refilter
      synthmill copy cotevol-demo frozen --version trained-on-monday
    """
    from synthmill.flows import dataset_api as api

    number = api.copy_dataset(dataset, new, version=version, home=home.path)
    click.echo(f"{new} has versions 0 to {number} of {dataset}")


@click.command()
@click.argument("dataset")
@click.argument("new")
@home_option
def rename(dataset: str, new: str, home: "Home") -> None:
    """Give a dataset another name.

    Its runs can still be resumed; none may work meanwhile. Recipes that you wrote keep the old name
    under `output`.

    \b
    Example:
      synthmill rename cotevol-demo arithmetic
    """
    from synthmill.flows import dataset_api as api

    api.rename_dataset(dataset, new, home=home.path)
    click.echo(f"{dataset} is named {new} now")


@click.command()
@click.argument("dataset")
@click.option("--yes", is_flag=True, help="Do not ask.")
@home_option
def drop(dataset: str, yes: bool, home: "Home") -> None:
    """Delete a dataset with all its versions.

    Reports of its runs and the response cache stay.

    \b
    Examples:
      synthmill drop cotevol-demo
      synthmill drop cotevol-demo --yes
    """
    from synthmill.flows import dataset_api as api
    from synthmill.store.dataset import Dataset

    version = Dataset.open(home, dataset).version
    if not yes:
        click.confirm(f"delete {dataset} with its versions 0 to {version}?", abort=True)
    api.drop_dataset(dataset, home=home.path)
    click.echo(f"{dataset} is deleted")
