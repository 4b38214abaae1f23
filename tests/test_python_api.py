"""`import synthmill` as a library: the documented code runs, in scripts and in notebooks."""

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncGenerator, Iterator
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

import synthmill
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.store.building import commit, make_rows

PAGE = Path(__file__).parents[1] / "docs" / "python-api.md"
PROBLEMS = [f'{{"problem": "What is 12 + {n}?", "answer": "{12 + n}"}}' for n in range(3)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTHMILL_HOME", str(tmp_path / "factory"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "factory"


@pytest.fixture
def snapshot(home: Path) -> synthmill.DatasetSnapshot:
    dataset = Dataset.create(Home(home), "math")
    commit(dataset, make_rows(0, 6), 0)
    commit(dataset, make_rows(6, 12, kind="rlvr"), 1)
    return synthmill.open_dataset("math")


def recipe(**changes: object) -> dict[str, object]:
    return {
        "name": "letters",
        "source": {"type": "jsonl", "path": "problems.jsonl"},
        "generator": {"name": "tests.flows.letters:Letters"},
        "output": {"dataset": "letters"},
        **changes,
    }


def test_the_documented_code_runs(home: Path, tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text("\n".join(PROBLEMS), "utf-8")
    names: dict[str, object] = {}
    for code in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(code, names)
    assert (tmp_path / "trl-data" / "sft").is_dir()


def test_importing_loads_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import synthmill; dir(synthmill)\n"
    code += "print(*(m for m in set(sys.modules) - before if m.startswith('synthmill')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["synthmill"]


def test_every_public_name_is_there() -> None:
    public = {name: getattr(synthmill, name) for name in synthmill.__all__}
    assert [name for name, value in public.items() if not value.__doc__] in ([], ["rewards"])
    assert set(synthmill.__all__) <= set(dir(synthmill))
    with pytest.raises(AttributeError, match="no attribute 'ruin'"):
        synthmill.ruin  # noqa: B018


def test_a_run_inside_a_running_event_loop(home: Path, tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text("\n".join(PROBLEMS), "utf-8")
    seen = []

    async def notebook_cell() -> synthmill.RunReport:
        return synthmill.run(recipe(), on_progress=seen.append)

    assert asyncio.run(notebook_cell()).accepted == 3
    assert seen[-1].accepted == 3


async def test_the_asynchronous_forms(home: Path, tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text("\n".join(PROBLEMS), "utf-8")
    rows, report = await synthmill.preview_async(recipe(), rows=1)
    assert rows and report.accepted >= 1
    left = {path.name for path in home.iterdir()} if home.exists() else set()
    assert left <= {"cache"}, "a preview leaves nothing but the cache"
    report = await synthmill.run_async(synthmill.Recipe.model_validate(recipe()), target=2)
    assert report.accepted >= 2


def test_home_is_an_argument_too(home: Path, tmp_path: Path) -> None:
    (tmp_path / "problems.jsonl").write_text("\n".join(PROBLEMS), "utf-8")
    synthmill.run(recipe(), home=tmp_path / "other", changes={"output.dataset": "moved"})
    assert synthmill.open_dataset("moved", home=tmp_path / "other").to_arrow().num_rows == 3
    assert not home.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"target": 0}, "'target'"),
        ({"generatr": {}}, "did you mean 'generator'"),
        ({"output": {"dataset": "A"}}, "output.dataset"),
    ],
)
def test_a_wrong_recipe_is_one_line(home: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(synthmill.InputError, match=message) as caught:
        synthmill.run(recipe(**changes))
    assert "\n" not in str(caught.value)
    assert not home.exists()


def test_a_snapshot_is_one_version_filtered(snapshot: synthmill.DatasetSnapshot) -> None:
    first = synthmill.open_dataset("math", version=1)
    assert first.to_arrow(status=None).num_rows == 6
    assert [row.kind for row in snapshot.rows(kind="rlvr")] == ["rlvr"] * 4
    assert snapshot.to_arrow(kind="sft", columns=["id"]).column_names == ["id"]
    assert snapshot.to_arrow("rejected").num_rows == 4
    assert len(snapshot.to_datasets()) == 8
    assert [version.operation for version in snapshot.versions()] == ["create", "commit", "commit"]
    with pytest.raises(synthmill.InputError, match="no column 'idd'"):
        snapshot.to_arrow(columns=["idd"])


def test_arrow_readers_take_a_snapshot_itself(snapshot: synthmill.DatasetSnapshot) -> None:
    assert pa.table(snapshot).num_rows == 8
    assert duckdb.sql("SELECT count(*) FROM snapshot").fetchall() == [(8,)]
    assert list(snapshot.to_pandas(columns=["kind"])["kind"].unique()) == ["sft", "rlvr"]


def test_the_connection_reads_the_catalog_only(snapshot: synthmill.DatasetSnapshot) -> None:
    with synthmill.connect() as connection:
        assert connection.sql("SELECT count(*) FROM math").fetchall() == [(8,)]
        connection.execute("CREATE TEMP TABLE mine AS SELECT id FROM math")
        with pytest.raises(duckdb.Error, match="read-only"):
            connection.execute("DROP TABLE catalog.runs")


def test_an_export_of_a_snapshot(snapshot: synthmill.DatasetSnapshot, tmp_path: Path) -> None:
    old = synthmill.open_dataset("math", 1)
    summary = synthmill.export(old, "trl", tmp_path / "out", settings={"format": "jsonl"})
    assert (summary.version, summary.rows) == (1, {"sft": {"train": 4}})
    with pytest.raises(synthmill.InputError, match="exporter"):
        synthmill.export("math", "trll", tmp_path / "none")


class Sums(synthmill.Source):
    """Two problems."""

    name, item = "sums", synthmill.Problem

    def items(self) -> Iterator[synthmill.Problem]:
        for n in (1, 2):
            origin = synthmill.SourceRef(uri="sums")
            yield synthmill.Problem(key=str(n), text=f"{n} + 1?", answer=str(n + 1), origin=origin)


class Echo(synthmill.Generator[synthmill.Settings]):
    """Says the answer."""

    name, item = "echo", synthmill.Problem

    async def generate(
        self, task: synthmill.Task, context: synthmill.Context
    ) -> AsyncGenerator[synthmill.Candidate, None]:
        turns = [synthmill.user(task.item.text), synthmill.assistant(task.item.answer)]
        yield synthmill.Candidate(kind="sft", messages=turns, answer=task.item.answer)


def says_two(candidate: synthmill.Candidate) -> bool:
    return candidate.messages[-1].text == "2"


def test_plugins_stand_in_a_recipe_as_they_are(home: Path) -> None:
    parts = {"source": Sums, "generator": Echo, "filters": [says_two]}
    spelled = {
        "source": {"type": Sums},
        "generator": {"name": Echo},
        "filters": [{"name": says_two}],
    }
    for number, given in enumerate((parts, spelled)):
        report = synthmill.run({"name": "own", "output": {"dataset": f"own-{number}"}, **given})
        assert (report.accepted, report.rejected) == (1, 1)
    with pytest.raises(
        synthmill.InputError, match=r"'generator.name': Input should be a valid str"
    ):
        synthmill.run({"name": "own", "output": {"dataset": "own"}, "generator": partial(says_two)})
