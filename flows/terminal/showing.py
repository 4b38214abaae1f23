"""Finding rows and showing them, on the terminal or as a file for the desktop."""

import io
import itertools
import os
import tempfile
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from synthmill.flows.terminal.console import output
from synthmill.flows.terminal.looking import ask, refreshed
from synthmill.flows.terminal.row_view import generator_of, print_row
from synthmill.pipelines.run_store import saved_recipe
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.recipe import PlugInSpec
from synthmill.schemas.row import Row, Status
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.sql import literal, quoted
from synthmill.store.tags import resolve

Which = Literal["accepted", "rejected", "all"]


def find(
    home: Home, target: str, rows: int, version: str | None, which: Which
) -> tuple[Dataset, list[Row]]:
    """The dataset and the rows that `target` names: a dataset, or the beginning of a row's id.

    `DATASET/ID` names a row of a version that is not the newest. Of a row and its copies, which
    have one id, it is one of the status `which`.

    Raises:
        InputError: it names nothing, or several rows.
    """
    status: Status | None = None if which == "all" else which
    name, _, prefix = target.partition("/")
    if name in home.dataset_names():
        dataset = Dataset.open(home, name)
        number = resolve(dataset, version)
        if prefix:
            return dataset, [dataset.row(prefix, number, status)]
        return dataset, list(itertools.islice(dataset.rows(number, status), rows))
    if version is not None:
        raise InputError(f"--version needs a dataset: DATASET, or DATASET/{target} for a row")
    dataset = Dataset.open(home, _holder(refreshed(home), target))
    return dataset, [dataset.row(target, status=status)]


def _holder(home: Home, prefix: str) -> str:
    """The dataset that holds the row whose id begins with `prefix`."""
    names = home.dataset_names()
    selects = [
        f"SELECT DISTINCT {literal(name)} AS dataset, id FROM {quoted(name + '_all')} "
        f"WHERE starts_with(id, {literal(prefix)})"
        for name in names
    ]
    found = ask(home, " UNION ALL ".join(selects) + " LIMIT 6").to_pylist() if selects else []
    if not found:
        known = ", ".join(names) or "none yet"
        raise InputError(
            f"{home.path} has no dataset {prefix!r}{nearest(prefix, names)} and no row whose id "
            f"begins so; datasets: {known}"
        )
    if len({record["id"] for record in found}) > 1:
        ids = ", ".join(record["id"] for record in found[:5])
        raise InputError(f"several rows have an id that begins with {prefix!r}: {ids}")
    return str(found[0]["dataset"])


def print_rows(home: Home, rows: list[Row]) -> None:
    """Print rows one after the other; a single one with all there is to it."""
    console = output()
    for row in rows:
        print_row(console, row, _spec(home, row), whole=len(rows) == 1)


def open_row(home: Home, dataset: Dataset, row: Row) -> None:
    """Write the row's picture, or else a page about it, to a file and open it with the desktop."""
    path = _page(home, dataset, row)
    click.echo(f"{path}")
    has_desktop = any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))) or os.name != "posix"
    if has_desktop:
        click.launch(str(path))


def _page(home: Home, dataset: Dataset, row: Row) -> Path:
    spec = _spec(home, row)
    generator = generator_of(row, spec)
    picture = generator.picture(row, dataset.folder) if generator else None
    folder = Path(tempfile.mkdtemp(prefix="synthmill-show-"))
    if picture is not None:
        path = folder / f"{row.id}.png"
        path.write_bytes(picture)
        return path
    console = Console(
        record=True, width=110, file=io.StringIO(), markup=False, highlight=False, emoji=False
    )
    print_row(console, row, spec, whole=True)
    path = folder / f"{row.id}.html"
    path.write_text(console.export_html(), encoding="utf-8")
    return path


def _spec(home: Home, row: Row) -> PlugInSpec | None:
    """The row's generator as its run's recipe names it, if the run is still known."""
    try:
        return saved_recipe(home, row.run_id).generator
    except InputError:
        return None
