"""The Markdown card of a dataset's version, made from the dataset alone."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import jinja2
from pydantic import ValidationError

from synthmill.schemas.errors import InputError
from synthmill.store.dataset import Dataset
from synthmill.store.funnel import funnel_query, funnel_stages
from synthmill.store.reports import read_report
from synthmill.store.sql import connect, scan_files
from synthmill.store.tags import read_tags, resolve

TEMPLATE = Path(__file__).parent / "card.md.jinja"
SHOWN_SOURCES = 20
SHOWN_REASONS = 3
EMBEDDED = ("embedded", "synthmill-lm")

VERDICTS = """(SELECT unnest(v, recursive := true), position FROM (SELECT unnest(verdicts) AS v,
    generate_subscripts(verdicts, 1) AS position FROM all_rows))"""
QUERIES = {
    "verdicts": funnel_query(VERDICTS),
    "kinds": """SELECT kind, split, count(*) FILTER (status = 'accepted') AS accepted,
        count(*) FILTER (status = 'rejected') AS rejected
        FROM all_rows GROUP BY ALL ORDER BY ALL""",
    "licenses": """SELECT coalesce(s.license, 'not stated') AS license,
        count(DISTINCT id) AS rows, count(DISTINCT s.uri) AS sources
        FROM (SELECT id, unnest(sources) AS s FROM all_rows WHERE status = 'accepted')
        GROUP BY ALL ORDER BY rows DESC, license""",
    "sources": f"""SELECT s.uri, any_value(s.license) AS license, count(DISTINCT id) AS rows,
        CASE WHEN count(DISTINCT s.title) = 1 THEN any_value(s.title) END AS title
        FROM (SELECT id, unnest(sources) AS s FROM all_rows WHERE status = 'accepted')
        GROUP BY s.uri ORDER BY rows DESC, s.uri LIMIT {SHOWN_SOURCES}""",
    "makers": """SELECT generator, coalesce(model, 'not stated') AS model,
        count(*) FILTER (status = 'accepted') AS accepted,
        count(*) FILTER (status = 'rejected') AS rejected
        FROM all_rows GROUP BY ALL ORDER BY ALL""",
    "undecided": """SELECT count(*) AS rows FROM all_rows WHERE status = 'accepted'
        AND list_bool_or(list_transform(verdicts, lambda v: v.status = 'error'))""",
    "sourceless": """SELECT count(*) AS rows FROM all_rows
        WHERE status = 'accepted' AND len(sources) = 0""",
}

Facts = dict[str, list[dict[str, Any]]]


def card(dataset: Dataset, version: str | int | None = None) -> str:
    """The card of a version (number or tag; the newest by default).

    Raises:
        InputError: there is no such version, or it holds no rows.
    """
    number = resolve(dataset, version)
    files = dataset.files(number)
    if not files:
        raise InputError(f"dataset {dataset.name!r} version {number} holds no rows to describe")
    facts = _facts(files)
    funnel = _funnel(facts)
    history = dataset.history()[: number + 1]
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    environment.filters["cell"] = _cell
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        name=dataset.name,
        version=number,
        committed_at=history[-1].committed_at,
        tags=[tag for tag, tagged in read_tags(dataset.folder).items() if tagged == number],
        accepted=sum(row["accepted"] for row in facts["kinds"]),
        rejected=sum(row["rejected"] for row in facts["kinds"]),
        facts=facts,
        funnel=funnel,
        runs=_runs(dataset, number),
        deleted=[v for v in history if v.operation == "delete"],
        limits=_limits(facts),
    )


def _facts(files: Iterable[str]) -> Facts:
    with connect() as connection:
        connection.execute(f"CREATE VIEW all_rows AS FROM {scan_files(files)}")
        return {name: _records(connection, sql) for name, sql in QUERIES.items()}


def _funnel(facts: Facts) -> list[dict[str, Any]]:
    """One record per filter and version; the most frequent reasons as text."""
    return [
        {
            **stage.model_dump(),
            "version": version,
            "reasons": ", ".join(
                f"{reason} ({rows})"
                for reason, rows in Counter(stage.reasons).most_common(SHOWN_REASONS)
            ),
        }
        for stage, version in funnel_stages(facts["verdicts"])
    ]


def _records(connection: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    return list(connection.sql(sql).to_arrow_table().to_pylist())


def _runs(dataset: Dataset, number: int) -> list[dict[str, Any]]:
    """Runs in the order of their first commit: versions, what made them, what they cost.

    Calls that are answered after the last commit are in the run's report alone.
    """
    runs: dict[str, dict[str, Any]] = {}
    later = set()
    for version in dataset.history():
        if version.commit and version.version > number:
            later.add(version.commit.run_id)
        elif version.commit:
            run = runs.setdefault(version.commit.run_id, {"first": version.version})
            run.update(commit=version.commit, last=version.version, cost=version.commit.cost)
    for run_id in runs.keys() - later:
        with suppress(OSError, ValidationError, InputError):  # merged from another home, say
            runs[run_id]["cost"] = read_report(dataset.home, run_id).cost
    return list(runs.values())


def _limits(facts: Facts) -> list[str]:
    """Known limits, as far as the data shows them."""
    limits = []
    if any(row["model"].startswith(EMBEDDED) for row in facts["makers"]):
        limits.append(
            "Some rows come from the embedded model, which is for trials and tests: a very small "
            "language model and rules, not a source of knowledge."
        )
    unlicensed = sum(r["rows"] for r in facts["licenses"] if r["license"] == "not stated")
    if unlicensed:
        limits.append(f"{unlicensed} accepted rows have a source whose license is not stated.")
    for fact, said in (
        ("sourceless", "accepted rows name no source."),
        ("undecided", "accepted rows carry a verdict of a filter that could not decide."),
    ):
        if facts[fact][0]["rows"]:
            limits.append(f"{facts[fact][0]['rows']} {said}")
    if not facts["verdicts"]:
        limits.append("No filter judged any row.")
    limits.append("Only the filters above checked the rows: no person has read them.")
    return limits


def _cell(value: object) -> str:
    """Text for a table's cell, as it is: on one line, and neither markup, HTML nor a link.

    Credentials in addresses are removed. What would be a link or a mention gets its sign as an
    entity, which Markdown shows and does not read.
    """
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = re.sub(r"(\w+://)[^/@\s]*@", r"\1", text)
    text = "".join(sign if sign.isprintable() else " " for sign in text)
    text = re.sub(r" +", " ", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = text.replace("://", "&#58;//").replace("www.", "www&#46;")
    text = re.sub(r"(?<!\w)@|@(?=[\w-]+\.)", "&#64;", text)
    return re.sub(r"([\\`*\[\]!|~])", r"\\\1", text)
