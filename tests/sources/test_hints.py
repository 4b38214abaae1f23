"""A source that finds no problem says what the recipe may have to say."""

import json
from pathlib import Path

import pytest

from synthmill.pipelines.parts import Mistakes, PartSpecs, load_parts
from synthmill.pipelines.plan import check_source
from synthmill.schemas.errors import InputError


def refusal(path: Path, **settings: object) -> str:
    specs = PartSpecs.of(
        {"generator": {"name": "cotevol"}, "source": {"path": str(path), **settings}}
    )
    mistakes = Mistakes()
    source = load_parts(specs, None, mistakes).source
    assert source is not None and not mistakes.found
    with pytest.raises(InputError) as error:
        check_source(source)
    return str(error.value)


def test_fields_that_look_right(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(json.dumps({"question": "1 + 1?", "the answer": "2"}), encoding="utf-8")
    assert refusal(path).endswith('Perhaps `fields: {problem: question, answer: "the answer"}`')
    path.write_text(json.dumps({"a": 1, "b": 2}), encoding="utf-8")
    assert refusal(path).endswith("the row has a, b")
    path.write_text("{broken", encoding="utf-8")
    assert "unreadable" in refusal(path) or "broken JSON" in refusal(path)


def test_a_delimiter_that_looks_right(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("question;answer\n1 + 1?;2\n", encoding="utf-8")
    assert refusal(path).endswith('Perhaps `delimiter: ";"`')
    assert "Perhaps `fields: {problem: question, answer: answer}`" in refusal(path, delimiter=";")
