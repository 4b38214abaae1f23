"""`export` and `card`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import home_option, version_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("dataset")
@click.option("--to", "exporter", required=True, metavar="NAME", help="See `synthmill exporters`.")
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Output folder; appears complete or not at all.",
)
@click.option("--kind", "kinds", multiple=True, help="Only rows of this kind; repeatable.")
@click.option("--split", "splits", multiple=True, help="Only rows of this split; repeatable.")
@click.option("--where", metavar="SQL", help="Only rows that meet this condition.")
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of the exporter."
)
@click.option("--force", is_flag=True, help="Replace an earlier export in FOLDER.")
@version_option
@home_option
def export(
    dataset: str,
    exporter: str,
    out: Path,
    kinds: tuple[str, ...],
    splits: tuple[str, ...],
    where: str | None,
    settings: tuple[str, ...],
    force: bool,
    version: str | None,
    home: "Home",
) -> None:
    """Write accepted rows of a dataset in the form that a trainer reads.

    FOLDER gets a folder for each shape of record and a file for each split; `datasets` loads it
    as it is. What the trainer cannot express is left out and counted.

    \b
    Examples:
      synthmill export cotevol-demo --to trl -o trl-data
      synthmill export cotevol-demo --to trl -o sft --kind sft --set format=jsonl
      synthmill export cotevol-demo --to datasets -o hard --where 'pass_rate < 0.5' --version good
      python -c "import datasets; print(datasets.load_dataset('trl-data', 'sft'))"
    """
    from synthmill.flows.recipes import settings_of
    from synthmill.flows.terminal.progress_display import show_count
    from synthmill.store.dataset import Dataset
    from synthmill.store.export import export
    from synthmill.store.exports.base import load_exporter

    with show_count(f"export {dataset}") as on_progress:
        done = export(
            Dataset.open(home, dataset),
            load_exporter(exporter, settings_of(settings)),
            out,
            version=version,
            kinds=kinds,
            splits=splits,
            where=where,
            force=force,
            on_progress=on_progress,
        )
    for part, rows in done.rows.items():
        counts = ", ".join(f"{count:,} {split}" for split, count in rows.items())
        click.echo(f"{out / part}: {counts}")
    for reason, count in done.left_out.items():
        click.echo(f"left out {count:,}: {reason}")
    for reward, file in done.rewards.items():
        place = out / file if file else "its file is gone from the run's folder; copy it yourself"
        click.echo(f"reward {reward}: {place}")


@click.command()
@click.argument("dataset")
@click.option("-o", "--out", type=click.Path(path_type=Path), metavar="FILE", help="To a file.")
@version_option
@home_option
def card(dataset: str, out: Path | None, version: str | None, home: "Home") -> None:
    """Print the data card of a dataset, as Markdown.

    It describes what was committed: counts, funnel, sources, licenses, models, limits.

    \b
    Examples:
      synthmill card cotevol-demo
      synthmill card cotevol-demo --version good -o CARD.md
    """
    from synthmill.data_cards.card import card
    from synthmill.runtime.files import atomic_write
    from synthmill.store.dataset import Dataset
    from synthmill.store.errors import translate_errors

    text = card(Dataset.open(home, dataset), version)
    if out is None:
        click.echo(text)
    else:
        with translate_errors(str(out)):
            atomic_write(out, text)
        click.echo(f"wrote {out}")
