"""The SQL and Python of the documentation works."""

import re
from pathlib import Path

import pytest
from datasets import load_dataset

from synthmill.schemas.messages import user
from synthmill.store.catalog import rebuild
from synthmill.store.dataset import Dataset
from synthmill.store.export import export
from synthmill.store.exports.base import load_exporter
from synthmill.store.home import Home
from synthmill.store.query import query
from tests.store.building import commit, make_rows

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "datasets-and-sql.md").read_text("utf-8")
EXPORTS = (DOCS / "exports.md").read_text("utf-8")


@pytest.fixture
def math(home: Home) -> Dataset:
    dataset = Dataset.create(home, "math")
    commit(dataset, make_rows(0, 6, detail='{"preset": "paper"}', pass_rate=0.5), 0)
    commit(dataset, make_rows(6, 12, messages=[user("alone")]), 1)
    rebuild(home)
    return dataset


# The first row of each example of the page, in its order; None where there is none.
FIRST_ROWS: list[dict[str, object] | None] = [
    {"kind": "sft", "split": "train", "status": "accepted", "rows": 8},
    None,  # no run has a report here
    {"filter": "length", "reason": "too short", "rows": 4},
    {"answer": "answer 1"},
    {"preset": "paper", "pass_rate": 0.5},
    {},
    None,
    {"run_id": "run-1", "tokens_a_row": 0.0},
    None,  # all sources have a license
]


@pytest.mark.parametrize(
    ("sql", "first"),
    list(zip(re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL), FIRST_ROWS, strict=True)),
)
def test_sql(home: Home, math: Dataset, sql: str, first: dict[str, object] | None) -> None:
    rows = query(home, sql).read_all().to_pylist()
    if first is None:
        assert rows == []
    else:
        assert any(first.items() <= row.items() for row in rows), rows


def test_python(home: Home, math: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    for batch in range(2, 4):
        commit(math, make_rows(batch * 6, batch * 6 + 6), batch)
    monkeypatch.setenv("SYNTHMILL_HOME", str(home.path))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", home.path / "cache")
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})


def test_every_relation_is_described(home: Home, math: Dataset) -> None:
    names = [
        name for (name,) in (r.values() for r in query(home, "SHOW TABLES").read_all().to_pylist())
    ]
    undescribed = [name for name in names if f"`{name}`" not in PAGE]
    assert undescribed == ["catalog_format"]


def test_the_example_exporter(
    math: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    _, function, code = re.findall(r"```python\n(.*?)```", EXPORTS, re.DOTALL)
    (tmp_path / "review_export.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "cards.py").write_text(function)
    cards = export(math, load_exporter(f"{tmp_path}/cards.py:card"), tmp_path / "cards")
    assert cards.rows == {"rows": {"train": 8}}
    exporter = load_exporter("review_export:ReviewExporter")
    summary = export(math, exporter, tmp_path / "out")
    assert summary.rows == {"review": {"train": 4}}
    assert summary.left_out == {"sft: review cannot express it": 4}
    loaded = load_dataset(str(tmp_path / "out"), "review", split="train")
    assert loaded[0] == {"question": "question 1", "answer": "answer 1"}
