"""Judging rows again: which rows change, what stays, and that the result is one new version."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from synthmill.pipelines.dedup_index_sync import DedupIndexSync
from synthmill.pipelines.refilter import RefilterSummary, filter_set, refilter
from synthmill.schemas.errors import InputError
from synthmill.schemas.messages import assistant, user
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.store.building import commit, make_row, make_rows, read_ids


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def letters(home: Home) -> Dataset:
    """Twelve rows, every third rejected by `length`, the others accepted."""
    dataset = Dataset.create(home, "letters")
    commit(dataset, make_rows(0, 12), 0)
    return dataset


@pytest.fixture
def odd(tmp_path: Path) -> str:
    """A filter that rejects odd numbers, in a file of its own."""
    (tmp_path / "mine.py").write_text(
        "def even(candidate):\n"
        "    number = int(candidate.messages[0].text.split()[-1])\n"
        "    return number % 2 == 0, 'an odd number'\n",
        encoding="utf-8",
    )
    return f"{tmp_path}/mine.py:even"


def again(dataset: Dataset, filters: list[str], readmit: bool = False, **settings: Any) -> Any:
    chosen = filter_set(filters, settings)
    return asyncio.run(refilter(dataset, chosen, dataset.home, readmit=readmit))


def test_accepted_rows_are_rejected_with_the_new_verdict(letters: Dataset, odd: str) -> None:
    before = read_ids(letters, 1)
    done: RefilterSummary = again(letters, [odd])
    assert done.judged == 8 and done.rejected == {"an odd number": 4}
    assert (done.old_version, done.version, letters.version) == (1, 2, 2)
    accepted = {row.task_key for row in letters.rows()}
    assert accepted == {f"task-{n}" for n in (2, 4, 8, 10)}
    rejected = {r.task_key: r for r in letters.rows(status="rejected")}
    assert [v.status for v in rejected["task-1"].verdicts] == ["pass", "fail"]
    assert rejected["task-1"].verdicts[-1].reason == "an odd number"
    assert [v.filter for v in rejected["task-3"].verdicts] == ["length"], "it stays as it was"
    assert read_ids(letters, 1) == before, "old versions keep their rows"
    last = letters.history()[-1]
    assert (last.operation, last.pattern) == ("refilter", "even")


def test_rejected_rows_are_accepted_again_where_asked(letters: Dataset, odd: str) -> None:
    done = again(letters, ["length"], readmit=True, length={"max_words": 1000})
    assert done.readmitted == 4 and not done.rejected
    assert len(read_ids(letters)) == 12
    assert all(len(row.verdicts) == 1 for row in letters.rows()), "one verdict of a filter"
    # What another filter rejected stays rejected.
    again(letters, [odd])
    done = again(letters, ["length"], readmit=True, length={"max_words": 1000})
    assert done.readmitted == 0 and done.version is None and len(read_ids(letters)) == 6


def test_an_id_is_accepted_once(letters: Dataset) -> None:
    commit(letters, [make_row(1, status="rejected", verdicts=make_row(3).verdicts)], 1)
    again(letters, ["length"], readmit=True, length={"max_words": 1000})
    ids = [row.id for row in letters.rows()]
    assert len(ids) == len(set(ids)) == 12


def test_diversity_filters_compare_with_rows_before(letters: Dataset) -> None:
    text = "a quite long answer that says the same thing in nearly the same words " * 3
    copies = [
        make_row(n, messages=[user(f"question {n}"), assistant(text)], status="accepted")
        for n in range(20, 24)
    ]
    commit(letters, copies, 1)
    done = again(letters, ["minhash"])
    assert sum(done.rejected.values()) == 3, done
    assert sum(row.task_key in {f"task-{n}" for n in range(20, 24)} for row in letters.rows()) == 1


def test_rows_rejected_now_are_no_longer_compared_with(letters: Dataset, odd: str) -> None:
    def remembered() -> int:
        (stage,) = filter_set(["minhash"]).diversity
        DedupIndexSync(letters, [stage.filter]).save()
        return len(stage.filter)

    assert remembered() == 8
    again(letters, [odd])
    assert remembered() == len(read_ids(letters)) == 4


def test_the_same_call_makes_the_same_rows(home: Home, letters: Dataset, odd: str) -> None:
    other = Dataset.create(home, "other")
    commit(other, make_rows(0, 12), 0)
    for dataset in (letters, other):
        again(dataset, [odd, "minhash", "length"], readmit=True)
    one, same = (sorted(d.rows(status=None), key=lambda row: row.id) for d in (letters, other))
    assert one == same
    done = again(letters, [odd, "minhash", "length"])
    assert done.version is None and letters.version == 2, "nothing changes the second time"


def test_a_model_filter_asks_the_models_of_a_recipe(letters: Dataset, tmp_path: Path) -> None:
    recipe = tmp_path / "models.yaml"
    recipe.write_text(
        "name: x\nsource: {type: jsonl, path: none.jsonl}\ngenerator: {name: cotevol}\n"
        "models: {judge: {backend: embedded}}\noutput: {dataset: x}\n",
        encoding="utf-8",
    )
    chosen = filter_set(["single_answer"], models=recipe)
    done = asyncio.run(refilter(letters, chosen, letters.home))
    assert done.judged == 8
    assert all(row.verdicts[-1].filter == "single_answer" for row in letters.rows())


def test_the_filters_of_a_recipe(letters: Dataset) -> None:
    names = filter_set(["cotevol-demo"]).names
    assert {"format", "arithmetic", "minhash"} <= set(names)
    assert names[-1] in ("minhash", "sibling_rouge", "exact_content")


def test_what_was_committed_meanwhile_is_not_lost(letters: Dataset) -> None:
    def interfere(done: int, total: int) -> None:
        if done == total:
            commit(Dataset.open(letters.home, "letters"), make_rows(12, 15), 1)

    chosen = filter_set(["length"], {"length": {"max_words": 1}})
    with pytest.raises(InputError, match="written to meanwhile"):
        asyncio.run(refilter(letters, chosen, letters.home, on_rows=interfere))
    assert len(read_ids(letters)) == 10
    assert not list(letters.home.path.glob(".refilter.*"))


@pytest.mark.parametrize(
    ("filters", "settings", "said"),
    [
        (["lenght"], {}, "did you mean"),
        (["length"], {"minhash": {"x": 1}}, "no filter minhash"),
        (["length"], {"length": 1}, "--set length=1: which setting"),
        (["length", "length"], {}, "times|more than once"),
        (["length"], {"length": {"lowest": 1}}, "lowest"),
    ],
)
def test_mistakes(filters: list[str], settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        filter_set(filters, settings)
