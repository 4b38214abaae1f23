"""All mistakes of a recipe are told at once; a path is enough for a source; some need none."""

import json
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import pytest

from synthmill.generators.base import Context, Generator, Task
from synthmill.pipelines.load import parse_recipe, read_recipe
from synthmill.pipelines.plan import make_plan
from synthmill.pipelines.run import start
from synthmill.schemas.base import Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.row import Candidate
from synthmill.sources.base import Problem, Source
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

MISTAKEN = """name: five
source:
  type: jsonl
  pth: x.jsonl
generator:
  name: cotevol
  settings: {round: 3, population_size: 1}
models:
  default: {backend: opnai}
filters:
  - format
  - name: minhash
    settings: {treshold: 0.5}
  - arithmetics
output:
  dataset: five
"""
SAID = [
    "five.yaml:4: source: unknown key 'pth' (did you mean 'path'?)",
    "five.yaml:7: generator.settings: 'population_size': Input should be greater than or equal",
    "five.yaml:7: generator.settings: unknown key 'round' (did you mean 'rounds'?)",
    "five.yaml:9: there is no backend 'opnai' (did you mean 'openai'?)",
    "five.yaml:13: filter 'minhash': unknown key 'treshold' (did you mean 'threshold'?)",
    "five.yaml:14: there is no filter 'arithmetics' (did you mean 'arithmetic'?)",
]


def told(text: str) -> list[str]:
    with pytest.raises(InputError) as error:
        make_plan(parse_recipe(text, "five.yaml"))
    return error.value.lines


def test_all_mistakes_of_plugins_are_told_with_their_lines() -> None:
    lines = told(MISTAKEN)
    assert len(lines) == len(SAID)
    assert all(line.startswith(said) for line, said in zip(lines, SAID, strict=True))


def test_mistakes_of_keys_and_of_plugins_are_told_together() -> None:
    lines = told(MISTAKEN + "target: many\nseeds: 3\n")
    assert len(lines) == len(SAID) + 2
    assert lines[-2].startswith("five.yaml:17: 'target': a positive number of rows")
    assert lines[-1] == "five.yaml:18: unknown key 'seeds' (did you mean 'seed'?)"


def test_an_unknown_key_hides_no_other_mistake() -> None:
    text = MISTAKEN.replace(
        "{backend: opnai}", "{modle: x, backend: openai, settings: {base_ulr: y}}"
    )
    lines = told(text)
    assert lines[3] == "five.yaml:9: unknown key 'models.default.modle' (did you mean 'model'?)"
    assert lines[4].startswith("five.yaml:9: models.default.settings: unknown key 'base_ulr'")


def test_a_role_that_no_part_asks_is_a_mistake() -> None:
    text = "name: r\nsource: world\ngenerator: {name: ragshaper}\nmodels:\n  default: {}\n"
    text += "  autor: {}\noutput: {dataset: r}\n"
    (line,) = told(text)
    assert line.startswith("five.yaml:6: no part of the recipe asks a model 'autor' (did you mean")
    make_plan(parse_recipe(text.replace("autor", "author"), "r.yaml"))


def of_path(path: Path, **source: Any) -> Recipe:
    data = {"name": "p", "generator": {"name": "cotevol"}, "output": {"dataset": "p"}}
    given = {"path": str(path), **source} if source else str(path)
    return Recipe.model_validate({**data, "source": given})


def test_the_type_of_a_source_follows_from_its_path(tmp_path: Path) -> None:
    jsonl, csv = tmp_path / "p.jsonl", tmp_path / "p.csv"
    jsonl.write_text(json.dumps({"problem": "1 + 1?", "answer": "2"}) + "\n", encoding="utf-8")
    csv.write_text("problem,answer\n1 + 1?,2\n", encoding="utf-8")
    for path, name in ((jsonl, "jsonl"), (csv, "csv"), (tmp_path, "folder")):
        plan = make_plan(of_path(path))
        assert plan.source.name == name
        assert next(plan.source.items()).text == "1 + 1?"
        spelled = make_plan(of_path(path, type=name))
        assert plan.recipe_hash == spelled.recipe_hash and plan.recipe == spelled.recipe
    assert make_plan(of_path(csv, limit=1)).source.settings.limit == 1
    with pytest.raises(InputError, match=r"no such file or folder.*no source of Problem items"):
        make_plan(of_path(tmp_path / "p.xyz"))


class Letters(Source):
    """Three problems."""

    name, item, Settings = "letters", Problem, Settings

    def items(self) -> Iterator[Problem]:
        for letter in "abc":
            yield Problem(key=letter, text=letter, origin=SourceRef(uri="letters"))


def test_a_source_of_ones_own_needs_no_type() -> None:
    data = {"name": "p", "generator": {"name": "cotevol"}, "output": {"dataset": "p"}}
    source = "tests.pipelines.test_recipe_mistakes:Letters"
    plan = make_plan(Recipe.model_validate({**data, "source": source}))
    assert [problem.text for problem in plan.source.items()] == ["a", "b", "c"]
    with pytest.raises(InputError, match=r"has no 'Leters' .did you mean 'Letters'"):
        make_plan(Recipe.model_validate({**data, "source": source.replace("Let", "Le")}))


OWN = """
from synthmill import Candidate, Generator, Problem, Settings, Source, SourceRef

class Nameless(Generator[Settings]):
    item = Problem
    async def generate(self, task, context):
        yield

class Unfinished(Generator[Settings]):
    name, item = "unfinished", Problem

class Sends(Generator):
    name, item = "sends", Problem
    async def generate(self, task, context):
        return Candidate(kind="sft", messages=[])

class Dicts(Generator):
    name, item = "dicts", Problem
    async def generate(self, task, context):
        yield {"kind": "sft"}

class Texts(Source):
    name, item = "texts", Problem
    def items(self):
        return ["a", "b"]

class Raises(Source):
    name, item = "raises", Problem
    def items(self):
        raise KeyError("no such book")

class One(Source):
    name, item = "one", Problem
    def items(self):
        yield Problem(key="a", text="a", origin=SourceRef(uri="a"))

def broken(candidate):
    return candidate.messages[9]
"""


@pytest.mark.parametrize(
    ("generator", "source", "said"),
    [
        ("Nameless", "One", "generator './own.py:Nameless': the class Nameless lacks name"),
        ("Unfinished", "One", "the class Unfinished lacks generate"),
        ("Sends", "One", "`generate` is not `async def` with `yield`"),
        ("broken", "One", "'./own.py:broken' is not a generator but <function broken"),
        ("Dicts", "Texts", "texts: items are of Problem, not 'a'"),
        ("Dicts", "Raises", r"source 'raises': KeyError: 'no such book' \(own.py, line 30\)"),
    ],
)
async def test_what_is_wrong_with_a_plugin(
    tmp_path: Path, generator: str, source: str, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        await start(own(tmp_path, generator, source), Home(tmp_path / "factory"))


async def test_a_generator_yields_candidates_and_a_filter_names_its_line(tmp_path: Path) -> None:
    home = Home(tmp_path / "factory")
    report = await start(own(tmp_path, "Dicts", "One"), home)
    assert report.stop == "failed"
    assert "yields objects of Candidate, not {'kind': 'sft'}" in str(report.stop_detail)
    other = own(tmp_path / "other", "Dicts", "One", code=OWN.replace('yield {"kind": "sft"}', SFT))
    report = await start(other, home)
    (row,) = Dataset.open(home, "p").rows(status=None)
    assert row.verdicts[-1].detail == "list index out of range (own.py, line 38)"


SFT = "yield Candidate(kind='sft', messages=[{'role': 'user', 'content': 'a'}])"


def own(folder: Path, generator: str, source: str, code: str = OWN) -> Recipe:
    folder.mkdir(exist_ok=True)
    (folder / "own.py").write_text(code, encoding="utf-8")
    data = {
        "name": "p",
        "generator": f"./own.py:{generator}",
        "source": f"./own.py:{source}",
        "filters": ["./own.py:broken"],
        "output": {"dataset": "p"},
        "folder": str(folder),
    }
    return Recipe.model_validate(data)


class CountSettings(Settings):
    rows: int = 3


class Count(Generator[CountSettings]):
    """Makes its tasks itself."""

    name = "count"
    item = None

    def tasks(self, source: Source) -> Iterator[Task]:
        for number in range(self.settings.rows):
            yield Task(f"n{number}", number)

    async def generate(self, task: Task, context: Context) -> AsyncGenerator[Candidate, None]:
        yield Candidate(kind="sft", messages=[user(f"after {task.item}?"), assistant("one more")])


async def test_a_generator_that_needs_no_source_runs_without(tmp_path: Path) -> None:
    name = {"name": "tests.pipelines.test_recipe_mistakes:Count"}
    data = {"name": "count", "generator": name, "models": {}, "output": {"dataset": "count"}}
    report = await start(Recipe.model_validate(data), Home(tmp_path / "factory"))
    assert (report.stop, report.accepted) == ("source exhausted", 3)
    with pytest.raises(InputError, match="'count' needs no source: remove it"):
        make_plan(Recipe.model_validate({**data, "source": "world"}))
    with pytest.raises(InputError, match="'source' is missing: generator 'cotevol' needs one"):
        make_plan(Recipe.model_validate({**data, "generator": {"name": "cotevol"}}))


@pytest.mark.parametrize("name", ["cotevol-demo", "ragshaper", "videossr", "viubench"])
def test_shipped_recipes_have_no_mistake(name: str) -> None:
    make_plan(read_recipe(name))
