"""Projects: a folder with a recipe that runs, its problems, a filter and a README."""

import itertools
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import yaml

from synthmill.pipelines.load import SHIPPED, parse_recipe
from synthmill.schemas.errors import InputError
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.validation import validated
from synthmill.sources._problems import ProblemSource
from synthmill.sources.csv import CsvSource, delimiter_of
from synthmill.sources.jsonl import JsonlSource
from synthmill.sources.parquet import ParquetSource
from synthmill.sources.reading.field_names import FieldGuess, Values, flat_texts, guess_fields
from synthmill.store.errors import translate_errors

TEMPLATES = Path(__file__).parent / "project_template"
SAMPLE = SHIPPED / "problems" / "easy.jsonl"
SAMPLE_ROWS = 30  # ours: enough for the target of the recipe
TARGET = 20  # ours: rows that a first run makes in seconds
PLAIN = re.compile(r"[A-Za-z_.][\w./-]*")  # needs no quotes in YAML
LOOKED_AT = 1000  # ours: rows by which fields are guessed
SOURCES: dict[str, type[ProblemSource]] = {
    ".jsonl": JsonlSource,
    ".csv": CsvSource,
    ".tsv": CsvSource,
    ".parquet": ParquetSource,
}
_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(TEMPLATES),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)


@dataclass(frozen=True, slots=True)
class ProblemFile:
    """A file of problems, and how a recipe reads it: by which source, with which settings.

    `example` is the first row with a question. `problems` of the `looked_at` first rows hold one;
    `faults` counts why the others do not.
    """

    path: Path
    source: str
    settings: Mapping[str, Any]
    guess: FieldGuess
    example: Values
    looked_at: int
    problems: int
    faults: Counter[str]


def recipe_template() -> str:
    """A recipe with a comment on every key."""
    source = "path: problems.jsonl        # or .csv, .parquet, a folder\n" + _flow(
        {"fields": {"problem": "problem", "answer": "answer"}}
    )
    return _rendered("recipe.yaml", name="my-recipe", source=source, own_filter=None, target=TARGET)


def read_problem_file(path: Path, given: Mapping[str, str | None]) -> ProblemFile:
    """Find out how a file of problems is read; `given` names fields that the user knows.

    Raises:
        InputError: it cannot be read, holds no rows, or its fields cannot be guessed.
    """
    suffix = path.suffix.lower()
    if suffix not in SOURCES:
        array = " (a JSON array becomes one with: jq -c '.[]')" if suffix == ".json" else ""
        raise InputError(f"{path}: give a file of {', '.join(SOURCES)}{array}")
    settings: dict[str, Any] = {"path": path}
    if SOURCES[suffix] is CsvSource and (delimiter := delimiter_of(path)) != ",":
        settings["delimiter"] = delimiter
    records, faults = list[Values](), list[str]()
    for row in itertools.islice(_source(suffix, settings).whole_rows(), LOOKED_AT):
        if row.record is None:
            faults.append(f"{row.unit} {row.number}: {row.fault}")
        else:
            records.append(dict(flat_texts(row.record)))
    if not records:
        why = f"; the first of {len(faults)}: {faults[0]}" if faults else ""
        raise InputError(f"{path}: no row can be read{why}")
    try:
        guess = guess_fields(records, given)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    fields = {"problem": guess.problem, "answer": guess.answer, "id": guess.id}
    settings["fields"] = {k: v for k, v in fields.items() if v is not None or k == "answer"}
    if guess.answer_after:
        settings["answer_after"] = guess.answer_after
    items = list(itertools.islice(_source(suffix, settings).items(), LOOKED_AT))
    invalid = Counter(item.reason for item in items if isinstance(item, InvalidItem))
    if not (problems := len(items) - invalid.total()):
        first = next(item.detail for item in items if isinstance(item, InvalidItem))
        raise InputError(f"{path}: none of the first {len(items)} rows holds a problem: {first}")
    example = next(record for record in records if record.get(guess.problem))
    source = SOURCES[suffix].name
    return ProblemFile(path, source, settings, guess, example, len(items), problems, invalid)


def write_project(folder: Path, problems: ProblemFile | None) -> dict[str, str]:
    """Write the files of a project, and return their names with what each is.

    Raises:
        InputError: one of them exists already, or the folder cannot be written; nothing is left.
    """
    name = _dataset_name(folder)
    sample = problems is None
    settings = {"path": "problems.jsonl", "fields": {"problem": "problem", "answer": "answer"}}
    if problems is not None:
        path = os.path.relpath(problems.path.resolve(), folder.resolve())
        settings = {"type": problems.source, **problems.settings, "path": path}
    source = _flow(settings)
    recipe = _rendered(
        "recipe.yaml",
        name=name,
        source=source,
        own_filter="./my_filters.py:few_words",
        target=TARGET if problems is None else min(TARGET, problems.problems),
    )
    files = {
        "recipe.yaml": recipe,
        "my_filters.py": _rendered("my_filters.py"),
        "README.md": _rendered("README.md", name=name, sample=sample),
        ".gitignore": _rendered("gitignore"),
    }
    about = {
        "recipe.yaml": "what to make, from what, with which model; every key is explained",
        "my_filters.py": "a filter of your own, which the recipe names",
        "README.md": "the next commands",
        ".gitignore": "leaves out the data folder",
    }
    if sample:
        files["problems.jsonl"] = "".join(_sample())
        about["problems.jsonl"] = f"{SAMPLE_ROWS} sample problems"
    parse_recipe(files["recipe.yaml"], str(folder / "recipe.yaml"), folder)
    _write_new(folder, files)
    return about


def _write_new(folder: Path, files: Mapping[str, str]) -> None:
    if there := [name for name in files if os.path.lexists(folder / name)]:
        raise InputError(
            f"{folder} has {', '.join(there)} already, and no file is replaced: name a new folder"
        )
    written: list[Path] = []
    try:
        with translate_errors(str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                with (folder / name).open("x", encoding="utf-8") as file:
                    written.append(folder / name)
                    file.write(text)
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise


def _source(suffix: str, settings: Mapping[str, Any]) -> ProblemSource:
    cls = SOURCES[suffix]
    return cls(validated(cls.Settings, dict(settings), "source"))


def _sample() -> Iterator[str]:
    with SAMPLE.open(encoding="utf-8") as file:
        yield from itertools.islice(file, SAMPLE_ROWS)


def _dataset_name(folder: Path) -> str:
    """The folder's name as a name of a recipe and a dataset."""
    name = re.sub(r"[^a-z0-9_-]+", "-", folder.resolve().name.lower()).strip("-_")[:64]
    return name or "my-dataset"


def _rendered(template: str, **values: Any) -> str:
    return _ENVIRONMENT.get_template(f"{template}.jinja").render(values)


def _flow(mapping: Mapping[str, Any]) -> str:
    """A line of YAML for each key."""
    return "".join(f"{key}: {_value(value)}\n" for key, value in mapping.items())


def _value(value: Any) -> str:
    """A text, null or mapping as YAML on one line, whatever signs it has."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(inner)}" for key, inner in value.items()) + "}"
    if value is None:
        return "null"
    text = str(value)
    if PLAIN.fullmatch(text) and yaml.safe_load(text) == text:
        return text
    quoted: str = yaml.safe_dump(text, default_style='"', allow_unicode=True, width=10**9)
    return quoted.removesuffix("\n")
