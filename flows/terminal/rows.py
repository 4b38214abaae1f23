"""Rows on the terminal or the desktop: finding them by id, and printing them."""

import io
import itertools
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent
from typing import Literal

import click
from rich.console import Console
from rich.rule import Rule

from synthmill.flows.report_text import counted
from synthmill.flows.terminal.console import cell_text, output, print_table, text
from synthmill.generators.base import Generator
from synthmill.pipelines.parts import GENERATORS
from synthmill.pipelines.run_store import saved_recipe
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.lineage import Media
from synthmill.schemas.messages import ImagePart, Message, TextPart, VideoPart
from synthmill.schemas.plugins import load_plugin
from synthmill.schemas.recipe import PlugInSpec
from synthmill.schemas.row import Row, Status
from synthmill.schemas.validation import validated
from synthmill.schemas.verdict import Verdict
from synthmill.store import catalog
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from synthmill.store.query import query_records
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
    dataset = Dataset.open(home, _holder(catalog.refresh(home), target))
    return dataset, [dataset.row(target, status=status)]


def _holder(home: Home, prefix: str) -> str:
    """The dataset that holds the row whose id begins with `prefix`."""
    names = home.dataset_names()
    selects = [
        f"SELECT DISTINCT {literal(name)} AS dataset, id FROM {quoted(name + '_all')} "
        f"WHERE starts_with(id, {literal(prefix)})"
        for name in names
    ]
    found = query_records(home, " UNION ALL ".join(selects) + " LIMIT 6") if selects else []
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


def print_rows(home: Home, rows: Sequence[Row], verbose: bool = False) -> None:
    """Print rows; `verbose` shows everything about them."""
    console = output()
    for row in rows:
        print_row(console, row, _spec(home, row), verbose)


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
    print_row(console, row, spec, verbose=True)
    path = folder / f"{row.id}.html"
    path.write_text(console.export_html(), encoding="utf-8")
    return path


def _spec(home: Home, row: Row) -> PlugInSpec | None:
    """The row's generator as its run's recipe names it, if the run is still known."""
    try:
        return saved_recipe(home, row.run_id).generator
    except InputError:
        return None


MOST_DETAIL = 4000  # characters of JSON that are shown
MOST_MEDIA = 2  # files whose names are shown
SHORT_DETAIL = 200  # of them without -v
SHORT_DESCRIPTION = 8  # lines of a generator's description without -v


def generator_of(row: Row, spec: PlugInSpec | None) -> Generator | None:
    """The generator that describes a row, with its recipe's settings.

    None if it is not installed any more, or wrote no record (for an unreadable item).
    """
    if spec is None or json.loads(row.detail) == {}:
        return None
    try:
        found = load_plugin(Generator, spec.name, GENERATORS, "generator")  # type: ignore[type-abstract]
        return found(validated(found.Settings, spec.settings, "generator.settings"))
    except InputError:
        return None


def print_row(console: Console, row: Row, spec: PlugInSpec | None, verbose: bool = False) -> None:
    """Print a row: what is said in it first, then what is known of it.

    `spec` is its generator as the recipe names it, which may describe it. Without `verbose`,
    verdicts are one line and the generator's record is short.
    """
    style = "green" if row.status == "accepted" else "red"
    console.print(Rule(text(f"{row.id}  {row.kind}, {row.status}", f"bold {style}")))
    print_messages(console, row.messages)
    for name, messages in (("chosen", row.chosen), ("rejected", row.rejected)):
        if messages:
            console.print(text(f"-- {name}", "bold"))
            print_messages(console, messages)
    _print_facts(console, row)
    if verbose:
        _print_verdicts(console, row)
    elif row.verdicts:
        said = text("verdicts: ", "bold") + text(_verdicts_text(row.verdicts))
        console.print(said, soft_wrap=True)
    _print_detail(console, row, generator_of(row, spec), verbose)
    console.print(text(_origin(row), "dim"), soft_wrap=True)


def _verdicts_text(verdicts: Sequence[Verdict]) -> str:
    """`arithmetic fail (false equation: 2 + 2 = 5); passed format, minhash; skipped length`."""
    parts = []
    for verdict in verdicts:
        if verdict.status in ("fail", "error"):
            why = ": ".join(filter(None, (verdict.reason, verdict.detail)))
            parts.append(f"{verdict.filter} {verdict.status}" + (f" ({why})" if why else ""))
    for status, word in (("pass", "passed"), ("skipped", "skipped")):
        if names := [verdict.filter for verdict in verdicts if verdict.status == status]:
            parts.append(f"{word} {', '.join(names)}")
    return "; ".join(parts)


def _origin(row: Row) -> str:
    parts = [row.generator, f"task {row.task_key}", f"split {row.split}", f"run {row.run_id}"]
    if row.model:
        parts.append(f"{row.model}: {row.completion_tokens:,} tokens in {row.calls:,} calls")
    return ", ".join(parts)


def _print_facts(console: Console, row: Row) -> None:
    facts = {
        "answer": row.answer,
        "reward": row.reward,
        "pass rate": row.pass_rate,
        "difficulty": row.difficulty,
        "scores": ", ".join(f"{s.name} {cell_text(s.value)}" for s in row.scores),
        "sources": ", ".join(_source(s.uri, s.title, s.license) for s in row.sources),
        "media": media_text(row.media),
        "parents": ", ".join(row.parents),
    }
    for name, value in facts.items():
        if value not in (None, ""):
            console.print(text(f"{name}: ", "bold") + text(cell_text(value)), soft_wrap=True)


def _source(uri: str, title: str | None, license: str | None) -> str:
    return " ".join(filter(None, (uri, title, f"[{license}]" if license else None)))


def media_text(media: Sequence[Media]) -> str:
    """The first files, and how many more there are: a video may have hundreds of frames."""
    shown = ", ".join(f"{m.path} ({m.mime})" for m in media[:MOST_MEDIA])
    more = len(media) - MOST_MEDIA
    return f"{shown} and {more} more" if more > 0 else shown


def _print_verdicts(console: Console, row: Row) -> None:
    if row.verdicts:
        headings = ("filter", "verdict", "score", "reason", "particulars")
        rows = [(v.filter, v.status, v.score, v.reason, v.detail) for v in row.verdicts]
        print_table(console, headings, rows)


def _print_detail(console: Console, row: Row, generator: Generator | None, verbose: bool) -> None:
    """The generator's record, as the generator describes it or as JSON."""
    described = generator.describe(row, verbose=verbose) if generator else None
    if described is not None:
        lines = described.splitlines()
        most = len(lines) if verbose else SHORT_DESCRIPTION
        console.print(text("\n".join(lines[:most])), soft_wrap=True)
        if lines[most:]:
            console.print(text(f"  {counted(len(lines) - most, 'line')} more with -v", "dim"))
    elif row.detail != "{}":
        detail = json.loads(row.detail)
        shown = json.dumps(detail, indent=2 if verbose else None, ensure_ascii=False)
        most = MOST_DETAIL if verbose else SHORT_DETAIL
        cut = "" if len(shown) <= most else f" ... {len(shown) - most:,} characters more"
        console.print(text(f"detail: {shown[:most]}{cut}", "dim"), soft_wrap=True)


def print_messages(console: Console, messages: Sequence[Message]) -> None:
    """Print the turns of a conversation: role, reasoning, content and tool calls."""
    for message in messages:
        masked = "" if message.train else " (not trained on)"
        name = f" {message.name}" if message.name else ""
        console.print(text(f"{message.role}{name}{masked}", "bold cyan"))
        for label, said in (
            ("thinking: ", message.reasoning),
            ("", "".join(map(_part_text, message.parts))),
            ("calls: ", message.tool_calls),
        ):
            if said:
                console.print(text(indent(label + said, "  ")), soft_wrap=True)


def _part_text(part: TextPart | ImagePart | VideoPart) -> str:
    """A content part: its text, or a line that says what it shows."""
    if isinstance(part, TextPart):
        return part.text
    if isinstance(part, ImagePart):
        return "[image]\n"
    frames = f", {len(part.paths)} frames" if part.has_frames else ""
    rate = f", {part.fps:.4g} a second" if part.fps else ""
    return f"[video{frames}{rate}]\n"
