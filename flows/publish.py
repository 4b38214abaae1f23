"""The flow `publish`: a version's data card and its export to a trainer, side by side."""

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed

from synthmill.data_cards.card import card
from synthmill.flows.artifacts import artifact_key
from synthmill.flows.prefect_runs import silence_stderr_at_exit
from synthmill.runtime.files import atomic_write
from synthmill.store.dataset import Dataset
from synthmill.store.errors import translate_errors
from synthmill.store.export import export
from synthmill.store.exports.base import load_exporter
from synthmill.store.home import Home
from synthmill.store.tags import resolve


@flow(name="publish", persist_result=False)
def publish(
    dataset: str,
    out: str,
    home: str | None = None,
    exporter: str = "trl",
    version: str | None = None,
) -> State[None]:
    """Export one version and write its card; both are of the same version.

    Args:
        dataset: the dataset.
        out: folder that gets `<dataset>-<version>-<exporter>/` and `<dataset>-<version>.md`.
        home: the data folder; `$SYNTHMILL_HOME` or `./factory` by default.
        exporter: name of the exporter.
        version: number or tag; the newest by default.
    """
    silence_stderr_at_exit()
    opened = Dataset.open(Home.find(home), dataset)
    number = resolve(opened, version)
    text = card(opened, number)
    name = f"{dataset}-{number}"
    folder = Path(out)
    loaded = load_exporter(exporter)
    done = export(opened, loaded, folder / f"{name}-{loaded.name}", version=number, force=True)
    with translate_errors(str(folder)):
        atomic_write(folder / f"{name}.md", text)
    create_markdown_artifact(
        text, key=f"{artifact_key(dataset)}-card", description=f"Card of {name}"
    )
    rows = sum(sum(splits.values()) for splits in done.rows.values())
    return Completed(message=f"{rows:,} rows of version {number} exported to {folder}")
