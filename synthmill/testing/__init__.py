"""For the tests of plug-ins: run a recipe, judge a candidate, make rows, serve scripted answers.

from synthmill.testing import run_recipe

def test_my_generator(tmp_path):
    result = run_recipe("recipe.yaml", tmp_path, target=5)
    assert len(result.accepted) == 5
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from synthmill.filters.base import DiversityFilter, Filter, Verifier
from synthmill.filters.functions import filter_class
from synthmill.filters.load import filter_named
from synthmill.filters.run import safe_judge
from synthmill.flows.api import open_dataset, run
from synthmill.flows.recipes import RecipeLike
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import content_id
from synthmill.schemas.messages import assistant, user
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Candidate, Row
from synthmill.schemas.validation import validated
from synthmill.schemas.verdict import Verdict
from synthmill.testing.scripted_server import Faults, ScriptedServer

__all__ = ["Faults", "RecipeResult", "ScriptedServer", "judge", "make_row", "run_recipe"]


@dataclass(frozen=True, slots=True)
class RecipeResult:
    """What a run of a recipe made: its report, and all rows of its dataset in their order."""

    report: RunReport
    rows: list[Row]
    home: Path

    @property
    def accepted(self) -> list[Row]:
        """The accepted rows."""
        return [row for row in self.rows if row.status == "accepted"]

    @property
    def rejected(self) -> list[Row]:
        """The rejected rows; `row.verdicts` says why."""
        return [row for row in self.rows if row.status == "rejected"]


def run_recipe(recipe: RecipeLike, tmp_path: Path, **changes: Any) -> RecipeResult:
    """Run a recipe in the data folder `tmp_path / "factory"`, and return what it made.

    Args:
        recipe: a file, the name of a shipped recipe, a `Recipe` or a mapping with the keys of a
            recipe file; in a mapping, `name` and `output` may be left out, and plug-ins such as
            `./file.py:Name` are looked for in its `folder`, else in the current one.
        tmp_path: an empty folder, such as the fixture of pytest.
        changes: values of the recipe's keys at the top: `target=5`, `models={...}`.

    Raises:
        InputError: something in the recipe cannot be used.
    """
    if isinstance(recipe, Mapping):
        recipe = {"name": "test", "output": {"dataset": "test"}, **recipe}
    home = tmp_path / "factory"
    report = run(recipe, home=home, changes=changes)
    try:
        rows = list(open_dataset(report.dataset, home=home).rows(status=None))
    except InputError:  # nothing was committed
        rows = []
    return RecipeResult(report, rows, home)


def judge(
    found: str | type[Filter] | Callable[..., Any],
    candidate: Candidate,
    folder: Path | None = None,
    **settings: Any,
) -> Verdict:
    """The verdict of a filter on a candidate, in this process.

    Args:
        found: a class, a function, or a name as in a recipe (`length`, `./file.py:name`).
        candidate: what is judged.
        folder: where `./file.py:name` is looked for; by default the current folder.
        settings: the filter's settings.

    Raises:
        InputError: there is no such filter, a setting is wrong, or the filter asks models
            (`run_recipe` with a `ScriptedServer` tests those).
    """
    if isinstance(found, str):
        found = filter_named(found, folder)
    cls: type[Filter] = found if isinstance(found, type) else filter_class(found)
    loaded = cls(validated(cls.Settings, settings, f"filter {cls.name!r}"))
    if not isinstance(loaded, Verifier | DiversityFilter):
        raise InputError(f"filter {cls.name!r} asks models: test it with run_recipe")
    return safe_judge(loaded, candidate)


def make_row(**values: Any) -> Row:
    """A row for the test of an exporter; `values` are those of its columns that matter.

    The others have defaults: an accepted `sft` row with one question and one answer.
    """
    row = Row(
        **{
            "kind": "sft",
            "messages": [user("question"), assistant("answer")],
            "generator": "test@1",
            "task_key": "task",
            "split": "train",
            "status": "accepted",
            "run_id": "run-1",
            "recipe_hash": "1-abc",
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
            "id": "",
            **values,
        }
    )
    return row.model_copy(update={"id": content_id(row)})
