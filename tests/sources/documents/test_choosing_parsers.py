"""How a recipe chooses parsers, also its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synthmill.pipelines.plan import make_plan
from synthmill.schemas.errors import InputError
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.recipe import Recipe
from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.base import DocumentParser
from synthmill.sources.documents.parsers.plain import PlainParser
from synthmill.sources.reading.files import InputFile
from tests.sources.documents.test_parsers import read


class ShoutingParser(PlainParser):
    """A second parser for .txt, only used where a recipe names it."""

    name = "shouting"
    by_default = False

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        for item in super().parse(file):
            assert isinstance(item, Document)
            yield Document(item.key, item.uri, item.title, item.text.upper())


def test_a_recipe_names_parsers_and_their_settings(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "b.jsonl").write_text(json.dumps({"body": "more"}))
    place = f"{__name__}:ShoutingParser"
    specs = {".txt": place, ".jsonl": {"settings": {"text_field": "body"}}}
    assert [d.text for d in read(tmp_path, parsers=specs)] == ["WORDS", "more"]
    sources = [CorpusSource(CorpusSettings(path=tmp_path, parsers=p)) for p in (specs, {})]
    assert len({source.version() for source in sources}) == 2
    assert issubclass(ShoutingParser, DocumentParser)


OWN = """
from synthmill.schemas.base import Settings
from synthmill.sources.documents.parsers.base import DocumentParser, document_of

class Notes(DocumentParser[Settings]):
    name = "notes"
    suffixes = (".note",)

    def parse(self, file):
        yield document_of(file, file.read_text(), "Mine")
"""


def test_a_parser_beside_the_recipe_is_found(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.note").write_text("words")
    source = {"type": "corpus", "path": f"{tmp_path}/docs", "parsers": {".note": "./own.py:Notes"}}
    recipe = Recipe.model_validate(
        {
            "name": "own",
            "folder": tmp_path,
            "generator": {"name": "ragshaper"},
            "source": source,
            "output": {"dataset": "own"},
        }
    )
    (document,) = make_plan(recipe).source.items()
    assert (document.title, document.text) == ("Mine", "words")


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ({".txt": "pypdfium"}, r"no document parser 'pypdfium' \(did you mean 'pypdfium2'"),
        ({".txt": "html"}, r"'html' does not read '.txt' but .html"),
        ({".txtt": {}}, r"nothing reads '.txtt' \(did you mean '.txt'"),
        ({".jsonl": {"settings": {"text_feld": "x"}}}, r"\.jsonl: jsonl: unknown key 'text_feld'"),
    ],
)
def test_wrong_parsers_are_named(tmp_path: Path, specs: dict[str, Any], message: str) -> None:
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(InputError, match=message):
        read(tmp_path, parsers=specs)
