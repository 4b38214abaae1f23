"""A row as a person reads it: conversation, answer, verdicts, lineage."""

import json
from collections.abc import Sequence

from rich.console import Console
from rich.rule import Rule

from synthmill.flows.terminal.console import text
from synthmill.flows.terminal.conversation import print_messages
from synthmill.flows.terminal.family import family_tree
from synthmill.flows.terminal.tables import cell_text, print_table
from synthmill.generators.base import Generator
from synthmill.pipelines.plan import GENERATORS
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import Media
from synthmill.schemas.plugins import load_plugin
from synthmill.schemas.recipe import PlugInSpec
from synthmill.schemas.row import Row
from synthmill.schemas.validation import validated

MOST_DETAIL = 4000  # characters of JSON that a screen can take
TREE_KEYS = ("traces", "row_traces")
MOST_MEDIA = 2  # files that are named
SHORT_DETAIL = 200  # of a row among others


def generator_of(row: Row, spec: PlugInSpec | None) -> Generator | None:
    """The generator that can tell more of a row, with its recipe's settings.

    None where it is not to be had any more, or made no record (of an item that was not readable).
    """
    if spec is None or json.loads(row.detail) == {}:
        return None
    try:
        found = load_plugin(Generator, spec.name, GENERATORS, "generator")  # type: ignore[type-abstract]
        return found(validated(found.Settings, spec.settings, "generator.settings"))
    except InputError:
        return None


def print_row(console: Console, row: Row, spec: PlugInSpec | None, whole: bool = False) -> None:
    """Print a row; `spec` is its generator as the recipe names it, which may describe it best.

    Among other rows it is kept short; `whole` shows all there is.
    """
    style = "green" if row.status == "accepted" else "red"
    console.print(Rule(text(f"{row.id}  {row.kind}, {row.status}", f"bold {style}")))
    console.print(text(_heading(row), "dim"), soft_wrap=True)
    print_messages(console, row.messages)
    for name, messages in (("chosen", row.chosen), ("rejected", row.rejected)):
        if messages:
            console.print(text(f"-- {name}", "bold"))
            print_messages(console, messages)
    _print_facts(console, row)
    _print_verdicts(console, row)
    _print_detail(console, row, generator_of(row, spec), whole)


def _heading(row: Row) -> str:
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
    """The first few files, and how many more there are: a video may be hundreds of frames."""
    shown = ", ".join(f"{m.path} ({m.mime})" for m in media[:MOST_MEDIA])
    more = len(media) - MOST_MEDIA
    return f"{shown} and {more} more" if more > 0 else shown


def _print_verdicts(console: Console, row: Row) -> None:
    if row.verdicts:
        headings = ("filter", "verdict", "score", "reason", "particulars")
        rows = [(v.filter, v.status, v.score, v.reason, v.detail) for v in row.verdicts]
        print_table(console, headings, rows)


def _print_detail(console: Console, row: Row, generator: Generator | None, whole: bool) -> None:
    """The generator's record: its family tree when it is shown whole, else as it describes it."""
    detail = json.loads(row.detail)
    tree = family_tree(detail) if whole else None
    described = generator.describe(row) if generator else None
    if tree:
        console.print(tree)
        detail = {key: value for key, value in detail.items() if key not in TREE_KEYS}
    elif described is not None:
        console.print(text(described), soft_wrap=True)
        return
    if detail:
        shown = json.dumps(detail, indent=2 if whole else None, ensure_ascii=False)
        most = MOST_DETAIL if whole else SHORT_DETAIL
        cut = "" if len(shown) <= most else f" ... {len(shown) - most:,} characters more"
        console.print(text(f"detail: {shown[:most]}{cut}", "dim"), soft_wrap=True)
