from pathlib import Path

import pytest

from synthmill.data_cards.card import card
from synthmill.schemas.errors import InputError
from synthmill.schemas.lineage import SourceRef
from synthmill.schemas.verdict import Verdict
from synthmill.store.dataset import Dataset
from synthmill.store.deletion import delete_source
from synthmill.store.home import Home
from synthmill.store.tags import set_tag
from tests.store.building import commit, make_row, make_rows


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return Dataset.create(Home(tmp_path), "my-set")


def test_a_card_says_what_the_version_holds(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 9, model="embedded:synthmill-lm", calls=2), 0)
    undecided = [Verdict(filter="equal", status="error", reason="time-out")]
    unknown = [SourceRef(uri="https://user:secret@a.b/x|y\nz")]
    rows = [make_row(10, kind="rlvr", split="test", sources=unknown, verdicts=undecided)]
    commit(dataset, rows, 1, run_id="run-2")
    set_tag(dataset, "v1")
    text = card(dataset, "v1")
    for line in (
        "# my-set, version 2",
        "7 accepted rows, 3 rejected",
        "; tagged v1.",
        "| rlvr | test | 1 | 0 |",
        "| sft | train | 6 | 3 |",
        "| test@1 | embedded:synthmill-lm | 6 | 3 |",
        "| run-1 | 1 to 1 | 1-abc |",
        "| run-2 | 2 to 2 | 1-abc |",
        "| length | 1 | 6 | 3 | 0 | 0 | too short (3) |",
        "| equal | 1 | 0 | 0 | 1 | 0 | time-out (1) |",
        "| CC0-1.0 | 6 | 6 |",
        "| not stated | 1 | 1 |",
        "| https&#58;//a.b/x\\|y z |",
        "- Some rows come from the embedded model",
        "- 1 accepted rows have a source whose license is not stated.",
        "- 1 accepted rows carry a verdict of a filter that could not decide.",
    ):
        assert line in text, text
    assert "secret" not in text
    assert "\n\n\n" not in text


def test_a_card_is_of_its_version(dataset: Dataset) -> None:
    commit(dataset, make_rows(0, 9), 0)
    delete_source(dataset, "https://site1.example/*")
    newest, before = card(dataset), card(dataset, 1)
    assert "Deleted sources" in newest and "https&#58;//site1.example/\\* (version 3)" in newest
    assert "https&#58;//site1.example/1 " in before and "Deleted sources" not in before


def test_a_version_without_rows_has_no_card(dataset: Dataset) -> None:
    with pytest.raises(InputError, match="holds no rows to describe"):
        card(dataset)
