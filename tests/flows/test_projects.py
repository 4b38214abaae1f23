"""`init`: projects that run as they are, and recipes that fit a user's file."""

import csv
import json
import shlex
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from synthmill.flows.projects import read_problem_file, recipe_template, write_project
from synthmill.pipelines.load import parse_recipe, read_recipe
from synthmill.pipelines.plan import make_plan
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import storable
from synthmill.sources.reading.field_names import flat_texts, guess_fields
from tests.flows.conftest import Synthmill


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_project_runs_as_it_is(
    synthmill: Synthmill, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = synthmill("init", "My Project")
    assert result.exit_code == 0, result.output
    assert "cd 'My Project'" in result.output
    monkeypatch.chdir(here / "My Project")
    done = synthmill("run", "recipe.yaml")
    assert done.exit_code == 0 and "target met" in done.output
    assert "few_words" in done.output  # the project's own filter
    lines = Path("README.md").read_text(encoding="utf-8").splitlines()
    commands = [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("synth")]
    assert len(commands) > 6
    for command in commands:
        result = synthmill(*command)
        assert result.exit_code == 0, result.output
    assert (here / "My Project" / "for-trl").is_dir()


@pytest.mark.parametrize("name", ["recipe.yaml", "my_filters.py", "README.md", ".gitignore"])
def test_nothing_is_replaced(synthmill: Synthmill, here: Path, name: str) -> None:
    (here / name).write_text("mine", encoding="utf-8")
    result = synthmill("init", ".")
    assert result.exit_code == 2 and name in result.stderr
    assert [path.name for path in here.iterdir() if path.is_file()] == [name]
    assert (here / name).read_text(encoding="utf-8") == "mine"


def test_links_are_not_written_through(synthmill: Synthmill, here: Path) -> None:
    (here / "p").mkdir()
    (here / "p" / "recipe.yaml").symlink_to(here / "elsewhere")
    assert synthmill("init", "p").exit_code == 2
    assert [path.name for path in (here / "p").iterdir()] == ["recipe.yaml"]
    assert not (here / "elsewhere").exists()


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    match path.suffix:
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case ".parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        case _:
            with path.open("w", newline="", encoding="utf-8-sig") as file:
                sign = {".tsv": "\t", ".csv": ";"}[path.suffix]
                writer = csv.DictWriter(file, list(rows[0]), delimiter=sign)
                writer.writeheader()
                writer.writerows(rows)
    return path


ROWS = [
    {
        "nr": number,
        "level": "easy",
        "Question": f"What is {number}; plus 1?",
        "solution": number + 1,
    }
    for number in range(12)
]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "jsonl", "parquet"])
def test_a_recipe_for_ones_own_file(synthmill: Synthmill, here: Path, suffix: str) -> None:
    write(here / f"own.{suffix}", ROWS)
    result = synthmill("init", "project", "--from", f"own.{suffix}")
    assert result.exit_code == 0, result.output
    assert "12 of the 12 rows hold a problem" in result.output
    assert "problem  <- Question: 'What is 0; plus 1?'" in result.output
    assert "answer   <- solution: '1'" in result.output
    assert "id       <- nr: '0'" in result.output and "not used: level" in result.output
    problems = list(make_plan(read_recipe("project/recipe.yaml")).source.items())
    assert [(p.key, p.text, p.answer) for p in problems] == [
        (str(row["nr"]), row["Question"], str(row["solution"])) for row in ROWS
    ]
    assert not (here / "project" / "problems.jsonl").exists()


def test_bad_rows_are_told(synthmill: Synthmill, here: Path) -> None:
    lines = [json.dumps({"question": "1 + 1?", "answer": "2"}), "{broken", '{"answer": "3"}']
    (here / "own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    result = synthmill("init", "p", "--from", "own.jsonl")
    assert "1 of the 3 rows hold a problem" in result.output
    assert "no problem (1)" in result.output and "unreadable row (1)" in result.output


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("own.csv", "x,y\n1,2\n", "no field looks like the question; the fields are x, y"),
        ("own.csv", "", "no row can be read"),
        ("own.csv", b"frage\n\xe4\n", "no row can be read; the first of 1: line 2"),
        ("own.jsonl", "[1]\n", "no row can be read; the first of 1: line 1: a JSON value, but"),
        ("own.parquet", "no parquet", "own.parquet cannot be read"),
        ("own.json", "[]", "give a file of .jsonl, .csv, .tsv, .parquet (a JSON array becomes"),
        ("own.jsonl", '{"question": ["a"]}\n', "no field looks like the question"),
    ],
)
def test_what_cannot_be_guessed(
    synthmill: Synthmill, here: Path, name: str, text: str | bytes, said: str
) -> None:
    (here / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    result = synthmill("init", "p", "--from", name)
    assert result.exit_code == 2 and said in result.stderr, result.output
    assert not (here / "p").exists()


def test_fields_that_the_user_names(synthmill: Synthmill, here: Path) -> None:
    rows = [{"frage": f"Was ist {n} + 1?", "antwort": n + 1, "id": "same"} for n in range(3)]
    write(here / "own.csv", rows)
    given = ("init", "p", "--from", "own.csv", "--problem", "frage")
    wrong = synthmill(*given, "--answer", "anwort")
    assert wrong.exit_code == 2 and "did you mean 'antwort'?" in wrong.stderr
    result = synthmill(*given, "--answer", "antwort")
    assert result.exit_code == 0 and "'id' is not used as id" in result.output
    assert synthmill("init", "q", "--problem", "frage").exit_code == 2  # without a file


@pytest.mark.parametrize(
    ("record", "guess"),
    [
        ({"question": "1 + 1?", "answer": "2.\n#### 2"}, ("question", "answer", None, "####")),
        ({"data": {"mathProblem": "1 + 1?"}, "gold": 2}, ("data.mathProblem", "gold", None, None)),
        ({"text": "one plus one?", "label": "2"}, ("text", "label", None, None)),
        ({"ask": "What is one and one?", "n": 2}, ("ask", None, None, None)),
        ({"prompt": "1?", "q_id": 7, "The Label": 1}, ("prompt", "The Label", "q_id", None)),
        ({"messages": [{"role": "user"}], "question": "1?"}, ("question", None, None, None)),
    ],
)  # fmt: skip
def test_guesses(record: dict[str, Any], guess: tuple[str | None, ...]) -> None:
    found = guess_fields([dict(flat_texts(record))], {})
    assert (found.problem, found.answer, found.id, found.answer_after) == guess


def test_long_answers_are_told() -> None:
    found = guess_fields([{"question": "Why?", "solution": "because " * 60}] * 3, {})
    assert any("holds long texts" in note for note in found.notes)
    with pytest.raises(InputError, match="no field looks like the question"):
        guess_fields([{"question": "", "answer": "1"}], {})


def test_the_template_has_no_mistake(synthmill: Synthmill) -> None:
    printed = synthmill("recipe", "template").output
    assert printed == recipe_template()
    make_plan(parse_recipe(printed, "template"))


@example(name="0\x85")  # a line end of YAML and of Python
@given(name=st.text(min_size=1).filter(lambda name: name.strip() and "." not in name))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_name_of_a_field_comes_back_from_the_recipe(here: Path, name: str) -> None:
    """Whatever YAML and templates make of its signs."""
    folder = here / uuid.uuid4().hex
    data = write(here / f"{folder.name}.jsonl", [{name: "What is 1 + 1?", f"{name} 2": "2"}])
    try:
        found = read_problem_file(data, {"problem": name, "answer": f"{name} 2"})
        write_project(folder, found)
    except InputError:  # half a surrogate pair, NUL: no recipe can hold them
        assert "\0" in name or storable(name) != name
        return
    (problem,) = make_plan(read_recipe(folder / "recipe.yaml")).source.items()
    assert (problem.text, problem.answer) == ("What is 1 + 1?", "2")
