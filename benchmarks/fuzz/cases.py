"""One attack: the files and the command line of a kind, a number and a seed, always the same."""

import gzip
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.fuzz.mutations import TEXTS, mutated, mutated_bytes, value
from synthmill.flows.cli import MODULES, Synthmill

SHARES = {"arguments": 0.35, "recipe": 0.3, "source": 0.2, "answer": 0.15}
# Commands that write where an argument says: what they get is a name in the folder of the case.
OUTPUTS = ("out", "folder", "home")
# It serves until it is stopped, and asks Prefect before it reads anything.
LEFT_OUT = ("schedule",)
PROBLEMS = [{"problem": f"What is {n} + {n}?", "answer": str(2 * n), "id": n} for n in range(1, 7)]
QUERIES = (
    "SELECT count(*) FROM cards", "FROM cards", "FROM verdicts", "FROM read_text('/etc/hosts')",
    "SELECT 1; COPY (SELECT 1) TO 'x.csv'", "ATTACH 'x.duckdb'", "INSTALL httpfs", "PRAGMA version",
    "FROM 'http://127.0.0.1:9/x.parquet'", "SELECT getenv('HOME')", "SET threads = 4",
    "FROM cards_at(1)",
    "CREATE TABLE x AS SELECT 1", "SELECT id FROM cards WHERE id > 'a' ORDER BY ALL LIMIT 3",
    "SELECT",
    "EXPLAIN FROM cards", "FROM glob('/etc/*')", "LOAD 'x'", "CHECKPOINT", 
    "SELECT repeat('x', 100000)",
)  # fmt: skip
PAGE = (
    "<html><head><title>A page</title></head><body><h1>One</h1><p>Some <b>words</b> &amp; more.</p>"
    "<table><tr><td colspan=2>a</td><td>b</td></tr></table><pre>code</pre><ul><li>x</ul></body>"
)
MARKDOWN = (
    "# One\n\nSome *words* and a [link](x).\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n"
)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 300]/Contents 4 0 R/Resources<</Font"
    b"<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n"
    b"4 0 obj<</Length 45>>stream\nBT /F1 18 Tf 20 200 Td (Some words here) Tj ET\n"
    b"endstream endobj\n"
    b"trailer<</Root 1 0 R>>\n%%EOF\n"
)


@dataclass(frozen=True, slots=True)
class Case:
    """An attack; `name` repeats it (`--only NAME`)."""

    kind: str
    number: int
    seed: int

    @property
    def name(self) -> str:
        """Kind and number."""
        return f"{self.kind}:{self.number}"

    def rng(self, purpose: str = "") -> Random:
        """What decides the case."""
        return Random(f"{self.seed}/{self.name}/{purpose}")

    def build(self, folder: Path, template: Path, url: str) -> list[str]:
        """Write its files, and return the arguments of `synthmill`."""
        folder.mkdir()
        rng = self.rng()
        good = f"{url}/good/v1"
        if self.kind == "arguments":
            shutil.copytree(template, folder, dirs_exist_ok=True)
            return _arguments(rng)
        lines = "".join(json.dumps(problem) + "\n" for problem in PROBLEMS)
        (folder / "problems.jsonl").write_text(lines)
        (folder / "pages").mkdir()
        (folder / "pages" / "one.md").write_text(MARKDOWN)
        match self.kind:
            case "recipe":
                _write_recipe(folder, rng, rng.choice(_recipes(good)))
                return [rng.choice(("check", "check", "run", "preview")), "x.yaml"]
            case "source":
                return _source(folder, rng, good)
        recipe = rng.choice(_recipes(f"{url}/{self.kind}-{self.seed}-{self.number}/v1")[:2])
        (folder / "x.yaml").write_text(yaml.safe_dump(recipe))
        return [rng.choice(("run", "run", "check", "preview")), "x.yaml"]


def _recipes(url: str) -> list[dict[str, Any]]:
    """Recipes that work: with a simple generator, with CoTEvol, over documents."""
    settings = {
        "base_url": url, "first_backoff_seconds": 0.01, "longest_backoff_seconds": 0.05,
        "retries": 2,
        "connect_seconds": 2.0, "total_seconds": 10.0,
    }  # fmt: skip
    common: dict[str, Any] = {
        "name": "x",
        "source": {"type": "jsonl", "path": "problems.jsonl", "limit": 2},
        "models": {"default": {"backend": "openai", "model": "scripted", "settings": settings}},
        "filters": [{"name": "length", "settings": {"max_words": 500}}, {"name": "exact_content"}],
        "target": 2,
        "budget": {"candidates": 6, "tokens": 100_000},
        "engine": {"concurrency": 2, "workers": 1, "give_up_after_minutes": 0.02},
        "output": {"dataset": "x", "splits": {"train": 0.9, "test": 0.1}},
    }
    small = {"population_size": 2, "rounds": 1, "mutations_per_round": 1}
    return [
        {**common, "generator": {"name": "benchmarks.commands:Cards"}},
        {**common, "generator": {"name": "cotevol", "settings": small}},
        {
            **common,
            "source": {"type": "corpus", "path": "pages"},
            "generator": {"name": "benchmarks.commands:Pages"},
            "models": {},
        },
    ]


def _write_recipe(folder: Path, rng: Random, recipe: dict[str, Any]) -> None:
    for _ in range(rng.choice((1, 1, 2, 3))):
        recipe = mutated(recipe, rng)
    try:
        text = yaml.safe_dump(recipe, sort_keys=False, allow_unicode=rng.random() < 0.5)
    except yaml.YAMLError:
        text = repr(recipe)
    data = text.encode("utf-8", "surrogatepass")
    if rng.random() < 0.3:
        data = mutated_bytes(data, rng)
    (folder / "x.yaml").write_bytes(data)


def _source(folder: Path, rng: Random, url: str) -> list[str]:
    """A source file that is damaged, or sound and odd."""
    suffix = rng.choice((".csv", ".jsonl", ".parquet", ".jsonl.gz", ".html", ".md", ".pdf"))
    data = SOURCES[suffix](rng)
    if rng.random() < 0.8:
        for _ in range(rng.choice((1, 1, 1, 2, 5))):
            data = mutated_bytes(data, rng)
    simple, _, pages = _recipes(url)
    recipe = pages
    if suffix in (".csv", ".jsonl", ".parquet"):
        kind = suffix[1:] if rng.random() < 0.7 else rng.choice(("csv", "jsonl", "parquet"))
        recipe = {**simple, "source": {"type": kind, "path": f"x{suffix}"}}
    else:
        recipe = {**pages, "source": {"type": "corpus", "path": f"x{suffix}"}}
    (folder / f"x{suffix}").write_bytes(data)
    (folder / "x.yaml").write_text(yaml.safe_dump(recipe))
    return ["run", "x.yaml"]


def _csv(rng: Random) -> bytes:
    rows: list[list[Any]] = [
        ["problem", "answer"],
        *([p["problem"], p["answer"]] for p in PROBLEMS),
    ]
    rows.append([str(value(rng)), str(value(rng))])
    return "\n".join(",".join(map(str, row)) for row in rows).encode("utf-8", "replace")


def _jsonl(rng: Random) -> bytes:
    rows = [*PROBLEMS, {"problem": value(rng), "answer": value(rng)}, value(rng)]
    return "\n".join(json.dumps(row, default=str) for row in rows).encode()


def _parquet(rng: Random) -> bytes:
    columns: dict[str, Any] = {
        "problem": [str(p["problem"]) for p in PROBLEMS],
        "answer": rng.choice(
            (
                pa.array(range(6)), pa.array([b"\xff"] * 6), pa.array([None] * 6),
                pa.array([[1]] * 6),
                pa.array([{"a": 1}] * 6), pa.array([1.5] * 6), pa.array(["x"] * 6),
                pa.array([0] * 6, pa.timestamp("ns")), pa.array([2**62] * 6, pa.date64()),
                pa.array([None] * 6, pa.map_(pa.string(), pa.int8())), pa.array([True] * 6),
            )
        ),
    }  # fmt: skip
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer, compression=rng.choice(("zstd", "snappy", "none")))
    return buffer.getvalue()


SOURCES: dict[str, Callable[[Random], bytes]] = {
    ".csv": _csv,
    ".jsonl": _jsonl,
    ".parquet": _parquet,
    ".jsonl.gz": lambda rng: gzip.compress(_jsonl(rng)),
    ".html": lambda rng: PAGE.encode() * rng.choice((1, 1, 50)),
    ".md": lambda rng: MARKDOWN.encode() * rng.choice((1, 1, 50)),
    ".pdf": lambda rng: PDF,
}


def _arguments(rng: Random) -> list[str]:
    """A command with arguments that fit, that nearly fit and that do not."""
    name = rng.choice([name for name in MODULES if name not in LEFT_OUT])
    command = Synthmill(name="synthmill").get_command(click.Context(Synthmill()), name)
    words = [name]
    if isinstance(command, click.Group):
        below = rng.choice(sorted(command.commands))
        command = command.commands[below]
        words.append(below)
    assert command is not None
    rest: list[str] = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            if rng.random() < 0.9:
                rest.append(_word(parameter.name or "", rng))
        elif parameter.name == "on_desktop":  # opens a program of the desktop
            continue
        elif parameter.name == "yes":  # there is nobody to be asked
            rest.append("--yes")
        elif getattr(parameter, "is_flag", False):
            rest += [rng.choice(parameter.opts)] if rng.random() < 0.5 else []
        elif parameter.required or rng.random() < 0.3:
            rest += [rng.choice(parameter.opts), _word(parameter.name or "", rng)]
    if rng.random() < 0.1:
        rest.insert(rng.randrange(len(rest) + 1), rng.choice(TEXTS).replace("\0", ""))
    if name in ("run", "preview", "check", "resume") and "--help" not in rest:
        rest = [word for word in rest if word != "cotevol-demo"]
    return [word.replace("\0", "") for word in words + rest]


def _word(parameter: str, rng: Random) -> str:
    if parameter in OUTPUTS:
        return rng.choice(("new", "new/deeper", "é", "a b", "x.yaml", "problems.jsonl", ".", "a*b"))
    if rng.random() < 0.3:
        return str(value(rng)).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    fitting = {
        "query": QUERIES,
        "where": (*QUERIES, "true", "answer = '2'", "1 = 1) --", "kind"),
        "dataset": ("cards",), "datasets": ("cards", "other"), "name": ("cards", "good", "length"),
        "old": ("1", "good"), "new": ("2", "fresh"), "into": ("fresh",), "target": ("1", "sft=1",
        "cards"),
        "version": ("1", "good", "2"), "recipe": ("cards.yaml", "x.yaml", "cotevol-demo"),
        "filters": ("length", "exact_content,length", "./x.py:y", "cards.yaml"),
        "exporter": ("trl", "datasets", "./x.py:y"), "changes": ("target=1", "seed=5",
        "filters.0.name=x"),
        "settings": ("length.max_words=3", "format=jsonl", "length=1"), "rows": ("1", "2"),
        "source": ("*/000.jsonl", "problems/000.jsonl"), "which": ("random", "newest"),
        "run": ("r1", "nothing"), "models": ("cards.yaml",), "data": ("problems.jsonl",),
        "kinds": ("sft",), "splits": ("train",),
    }  # fmt: skip
    return rng.choice(fitting.get(parameter, ("1", "0", "x", "true")))
