"""Exporters and rewards that a user brings along: what goes wrong ends in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

import synthmill
from synthmill.schemas.errors import InputError
from synthmill.store.dataset import Dataset
from synthmill.store.export import export
from synthmill.store.exports.base import load_exporter
from synthmill.store.home import Home
from synthmill.store.reward_files import keep_reward_files
from synthmill.testing import make_row
from tests.store.building import commit, make_rows

EXPORTERS = """
def record(row):
    return {"text": row.messages[0].text} if row.messages[0].text != "question 1" else None

def raises(row):
    return {"text": row.messages[99].text}

def a_list(row):
    return [row.id]

def not_json(row):
    return {"created": row.created_at}

NUMBER = 7
"""


@pytest.fixture
def dataset(home: Home) -> Dataset:
    dataset = Dataset.create(home, "own")
    commit(dataset, make_rows(0, 6), 0)
    return dataset


def load(folder: Path, name: str) -> Any:
    (folder / "own.py").write_text(EXPORTERS)
    return load_exporter(f"{folder}/own.py:{name}")


def test_a_function_writes_json_lines(dataset: Dataset, tmp_path: Path) -> None:
    summary = export(dataset, load(tmp_path, "record"), tmp_path / "out")
    assert summary.rows == {"rows": {"train": 3}}
    assert summary.left_out == {"sft: record cannot express it": 1}
    lines = (tmp_path / "out" / "rows" / "train.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["text"] for line in lines) == [
        "question 2", "question 4", "question 5",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("raises", r"exporter 'raises', row \w+: IndexError: .*\(own.py, line 6\)"),
        ("a_list", r"exporter 'a_list' returned \['\w+'\], not a dict or None"),
        ("not_json", "a record cannot be written as JSON: Object of type datetime"),
        ("NUMBER", "is not an exporter but 7"),
        ("recrod", "has no 'recrod' .did you mean 'record'?"),
    ],
)
def test_what_is_wrong_with_a_function(
    dataset: Dataset, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        export(dataset, load(tmp_path, name), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_function_has_no_settings(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(EXPORTERS)
    with pytest.raises(InputError, match="words"):
        load_exporter(f"{tmp_path}/own.py:record", {"words": 1})


@pytest.mark.parametrize(
    "reward", ["./gone.py:score@1", "../outside.py:score@1", "/etc/own.py:score@1", "./link.py:f"]
)
def test_a_reward_comes_from_the_recipes_folder(home: Home, tmp_path: Path, reward: str) -> None:
    folder = tmp_path / "recipe"
    folder.mkdir()
    (tmp_path / "outside.py").write_text("def score(*_): return 1\n")
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    with pytest.raises(InputError, match="reward"):
        keep_reward_files(home, "run-1", folder, [reward])
    assert not home.run("run-1").exists()


def test_an_export_says_which_reward_is_gone(home: Home, tmp_path: Path) -> None:
    dataset = Dataset.create(home, "own")
    (tmp_path / "mine.py").write_text("def score(name, said, true, extra): return said == true\n")
    keep_reward_files(home, "run-1", tmp_path, ["./mine.py:score@1", "answer_equivalence@1"])
    rewards = ("./mine.py:score@1", "./lost.py:score@2", "answer_equivalence@1")
    rows = [make_row(kind="rlvr", answer=r, reward=r, run_id="run-1") for r in rewards]
    commit(dataset, rows, 0)
    summary = export(dataset, load_exporter("trl"), tmp_path / "out")
    assert summary.rewards == {
        "./mine.py:score@1": "rewards/mine.py",
        "./lost.py:score@2": None,
    }
    score = synthmill.rewards.reward("./mine.py:score@1", tmp_path / "out" / "rewards")
    assert (score("7", "7"), score("7", "8")) == (1.0, 0.0)
    for name in ("./mine.py:scroe@1", "unknown@1"):
        with pytest.raises(ValueError, match="no reward"):
            synthmill.rewards.reward(name, tmp_path)
