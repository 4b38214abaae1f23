"""Filters of a user: functions, files beside the recipe, and the modules they import."""

import os
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

import synthmill
from synthmill.filters.functions import filter_class
from synthmill.filters.load import load_filter, load_filters
from synthmill.filters.run import judge, warm_up
from synthmill.runtime.workers import WorkerPool
from synthmill.schemas.base import Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import FilterSpec, Recipe
from synthmill.schemas.row import Candidate
from tests.filters.candidates import NO_CONTEXT, make, sft, told

PLUGIN = """
    from helpers import LIMIT
    from synthmill.filters.base import Verifier
    from synthmill import filter
    from synthmill.schemas.base import Settings

    def short(candidate):
        return len(candidate.messages[-1].content) <= LIMIT, "too long"

    class Bounds(Settings):
        limit: int = LIMIT

    @filter(name="bounded", version=3, cost="cpu", settings=Bounds)
    def in_worker(candidate, settings):
        import os
        return len(candidate.messages[-1].content) <= settings.limit, f"pid {os.getpid()}"

    class Odd(Verifier):
        '''A class in a file.'''
        name = "odd"
        def judge(self, candidate):
            return self.verdict("pass" if len(candidate.messages) % 2 else "fail", "even")
"""


def write_plugin(folder: Path, limit: int = 5) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "my_filters.py").write_text(dedent(PLUGIN))
    (folder / "helpers.py").write_text(f"LIMIT = {limit}\n")
    return folder


@pytest.mark.parametrize("place", ["./my_filters.py:short", "my_filters:short"])
def test_a_function_beside_the_recipe(tmp_path: Path, place: str) -> None:
    found = load_filter(FilterSpec(name=place), write_plugin(tmp_path))
    assert told(found, sft("short")) == ("pass", None)
    assert told(found, sft("longer")) == ("fail", "too long")
    assert (found.name, found.version, found.cost) == ("short", 1, "rule")


def test_a_class_in_a_file_and_in_a_folder_below(tmp_path: Path) -> None:
    write_plugin(tmp_path / "below")
    assert load_filter(FilterSpec(name="below/my_filters.py:Odd"), tmp_path).name == "odd"
    absolute = f"{tmp_path}/below/my_filters.py:Odd"
    assert load_filter(FilterSpec(name=absolute), Path("/")).name == "odd"


def test_two_recipes_may_have_files_of_one_name(tmp_path: Path) -> None:
    one, two = write_plugin(tmp_path / "one", 5), write_plugin(tmp_path / "two", 9)
    path = list(sys.path)
    for place in ("./my_filters.py:short", "my_filters:short"):
        for folder, status in ((one, "fail"), (two, "pass"), (one, "fail")):
            found = load_filter(FilterSpec(name=place), folder)
            assert told(found, sft("8 signs.")) == (
                status,
                None if status == "pass" else "too long",
            )
    assert sys.path == path


@pytest.mark.parametrize("place", ["./my_filters.py:in_worker", "my_filters:in_worker"])
async def test_a_function_may_be_judged_in_a_worker(tmp_path: Path, place: str) -> None:
    spec = FilterSpec(name=place, settings={"limit": 3})
    found = load_filter(spec, write_plugin(tmp_path))
    async with WorkerPool(1, warm=warm_up([found])) as workers:
        verdict = await judge(found, sft("long"), NO_CONTEXT, workers)
        assert (verdict.filter, verdict.version, verdict.status) == ("bounded", 3, "fail")
        assert verdict.reason != f"pid {__import__('os').getpid()}"
        assert (await judge(found, sft("lon"), NO_CONTEXT, workers)).status == "pass"


def test_what_a_function_may_return() -> None:
    def returns(value: object) -> tuple[str, str | None]:
        return told(filter_class(lambda candidate: value)(), sft("x"))

    assert returns(True) == returns(np.bool_(True)) == ("pass", None)
    assert returns((True, "why not")) == ("pass", None)
    assert returns(False) == ("fail", "<lambda> returned False")
    assert returns((False, "because")) == ("fail", "because")
    for value in (None, 1, "yes", (True,), (False, 3), (1, 2, 3)):
        assert returns(value)[0] == "error", value


def test_a_marked_function_stays_a_function() -> None:
    @synthmill.filter
    def plain(candidate: Candidate) -> bool:
        return candidate.answer is None

    class Wanted(Settings):
        answer: str = "7"

    @synthmill.filter(name="other", version=2, settings=Wanted)
    def with_settings(candidate: Candidate, settings: Wanted) -> bool:
        return candidate.answer == settings.answer

    assert plain(sft("x")) is True
    assert with_settings(sft("x", answer="7"), Wanted()) is True
    found = filter_class(with_settings)
    assert (found.name, found.version, found.Settings) == ("other", 2, Wanted)
    assert told(found(Wanted(answer="8")), sft("x", answer="8")) == ("pass", None)


async def asynchronous(candidate: Candidate) -> bool:
    return True


def two_parameters(candidate: Candidate, other: int) -> bool:
    return True


@pytest.mark.parametrize(
    ("function", "message"),
    [(asynchronous, "ModelVerifier"), (two_parameters, r"must take \(candidate\)")],
)
def test_functions_that_cannot_be_filters(function: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make(f"{__name__}:{function.__name__}")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        ("def f(:", "f", "line 1"),
        ("x = 1\ny = x.upper()", "f", r"AttributeError: .* \(broken.py, line 2\)"),
        ("import no_such_module_here", "f", "No module named 'no_such_module_here'"),
        ("def short(c): return True", "shrt", r"has no 'shrt' \(did you mean 'short'"),
        ("thing = 3", "thing", "neither a filter class nor a function"),
    ],
)
def test_broken_files_get_one_clear_line(
    tmp_path: Path, code: str, name: str, message: str
) -> None:
    (tmp_path / "broken.py").write_text(code)
    with pytest.raises(InputError, match=message) as raised:
        load_filter(FilterSpec(name=f"./broken.py:{name}"), tmp_path)
    assert "\n" not in str(raised.value)


def test_a_missing_file_is_named() -> None:
    with pytest.raises(InputError, match=r"there is no file .*/nothing\.py"):
        load_filter(FilterSpec(name="./nothing.py:f"), Path("/tmp"))


def is_short(candidate: Candidate) -> bool:
    return len(candidate.messages[-1].text) < 6


def test_bare_names_and_functions_in_a_recipe() -> None:
    recipe = Recipe.model_validate(
        {
            "name": "r",
            "source": {"type": "jsonl"},
            "generator": {"name": "g"},
            "filters": ["minhash", {"name": "length", "settings": {"min_words": 2}}, is_short],
            "output": {"dataset": "d"},
        }
    )
    assert [spec.name for spec in recipe.filters] == ["minhash", "length", f"{__name__}:is_short"]
    assert told(load_filter(recipe.filters[2]), sft("longer")) == (
        "fail",
        "is_short returned False",
    )
    assert recipe.filters[0] == FilterSpec(name="minhash")


def test_defaults_of_a_generator_come_first_and_can_be_retuned_or_left_out() -> None:
    defaults = [
        FilterSpec(name="length"),
        FilterSpec(name="format"),
        FilterSpec(name="closed_book"),
    ]
    given = [
        FilterSpec(name="arithmetic"),
        FilterSpec(name="length", settings={"min_words": 9}),
        FilterSpec(name="format", enabled=False),
        FilterSpec(name="answer_equivalence"),
    ]
    found = load_filters(given, defaults=defaults)
    assert [f.name for _, f in found] == [
        "length",
        "arithmetic",
        "answer_equivalence",
        "closed_book",
    ]
    assert found[0][1].settings.min_words == 9


def test_a_script_may_use_its_own_functions(tmp_path: Path) -> None:
    script = """
        import synthmill

        @synthmill.filter(name="even")
        def in_the_script(candidate: synthmill.Candidate):
            return int(candidate.answer) % 2 == 0, "odd"

        if __name__ == "__main__":
            recipe = {
                "name": "script",
                "source": {"type": "jsonl", "path": "problems.jsonl"},
                "generator": {"name": "tests.flows.letters:Letters"},
                "models": {},
                "filters": [in_the_script],
                "output": {"dataset": "script"},
            }
            report = synthmill.run(recipe, home="home")
            print(report.accepted, report.rejected)
    """
    (tmp_path / "script.py").write_text(dedent(script))
    lines = (f'{{"problem": "p{n}", "answer": "{n}"}}\n' for n in range(4))
    (tmp_path / "problems.jsonl").write_text("".join(lines))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    run = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["2", "2"], run.stderr
