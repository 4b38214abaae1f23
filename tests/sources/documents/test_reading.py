"""Every form of file becomes documents; what cannot be read is told, and never a crash."""

import gzip
import json
import os
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthmill.schemas.errors import InputError
from synthmill.schemas.items import InvalidItem
from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.chunking import Chunking
from synthmill.sources.documents.corpus import open_corpus
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.base import MAX_TITLE
from tests.sources.documents.pdf_files import make_pdf


def read(path: Path, **settings: Any) -> tuple[list[Document], list[InvalidItem]]:
    items = list(CorpusSource(CorpusSettings(path=path, **settings)).items())
    good = [item for item in items if isinstance(item, Document)]
    return good, [item for item in items if isinstance(item, InvalidItem)]


def pdf(pages: list[str]) -> bytes:
    """A PDF with one line on each page."""
    return make_pdf([[(50, 700, 12, text)] for text in pages])


def test_text_markdown_and_packed_files(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").write_text("First line\r\n\r\nBody\0 text", encoding="utf-8")
    (tmp_path / "b" / "c.md").write_text("intro\n\n# The title\n\nBody", encoding="utf-8")
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(b"Packed\n\nwords"))
    (tmp_path / "e.bin").write_bytes(b"\0\1")
    good, bad = read(tmp_path, license="CC0-1.0")
    assert [(d.key, d.title) for d in good] == [
        ("a.txt", "First line"),
        ("b/c.md", "The title"),
        ("d.txt.gz", "Packed"),
    ]
    assert good[0].text == "First line\n\nBody\ufffd text" and good[0].license == "CC0-1.0"
    assert not bad


def test_html_gives_its_main_part(tmp_path: Path) -> None:
    pytest.importorskip("resiliparse")
    head = "<title>Rivers &amp; towns</title><script>evil()</script>"
    body = "<nav><a href=x>Home</a></nav><main><h1>Rivers</h1><p>The Osk is long.</p></main>"
    page = f"<html><head>{head}</head><body>{body}</body></html>"
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    ((document,), _) = read(tmp_path)
    assert document.title == "Rivers & towns" and "The Osk is long." in document.text
    assert "evil" not in document.text and "Home" not in document.text


def test_html_that_nests_without_end_is_given_up(tmp_path: Path) -> None:
    """The parser takes minutes for the first, and an hour for the titles that never end."""
    pytest.importorskip("resiliparse")
    (tmp_path / "a.html").write_text("<div>" * 200_000 + "deep", encoding="utf-8")
    (tmp_path / "b.html").write_text("<title>Fine</title><main>words</main>", encoding="utf-8")
    good, bad = read(tmp_path, parsers={".html": {"settings": {"seconds": 2.0}}})
    assert [b.reason for b in bad] == ["HTML took too long"]
    assert [d.title for d in good] == ["Fine"]


def test_packed_records_are_unpacked(tmp_path: Path) -> None:
    lines = b'{"text": "one"}\n{"text": "two"}\n'
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "b.jsonl.gz").write_bytes(b"no gzip")
    good, bad = read(tmp_path)
    assert [d.key for d in good] == ["a.jsonl.gz#1", "a.jsonl.gz#2"]
    assert [b.reason for b in bad] == ["unreadable file"]


def test_only_the_columns_that_count_are_read(tmp_path: Path) -> None:
    columns = {"text": ["words"], "vector": [[0.5] * 4], "license": ["MIT"], "title": [None]}
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    pq.write_table(pa.table({"body": ["words"]}), tmp_path / "b.parquet")
    ((document,), (bad,)) = read(tmp_path)
    assert (document.title, document.license) == ("words", "MIT")
    assert bad.reason == "no text field" and "there are: body" in bad.detail


def test_titles_stay_short_and_are_read_once(tmp_path: Path) -> None:
    """A heading of a megabyte would stand in every passage; one of spaces be read for hours."""
    (tmp_path / "a.md").write_text(f"# T{1_000_000 * ' '}x\n\nwords", encoding="utf-8")
    (tmp_path / "b.md").write_text("# Named #C# ##\n\nwords", encoding="utf-8")
    record = {"text": "words", "title": "t\nt" * 10_000, "license": "l" * 10_000}
    (tmp_path / "c.jsonl").write_text(json.dumps(record), encoding="utf-8")
    good, _ = read(tmp_path)
    assert [len(d.title) for d in good] == [MAX_TITLE, len("Named #C#"), MAX_TITLE]
    assert good[1].title == "Named #C#" and good[2].title.startswith("t tt t")
    assert len(good[2].license or "") == MAX_TITLE


def test_what_is_no_unicode_stops_no_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).write_text("coffee", encoding="utf-8")
    halves = r'{"text": "words", "title": "\ud800", "license": "\ud800"}' + "\n" + r'{"\ud800": 1}'
    (folder / "a.jsonl").write_text(halves, encoding="utf-8")
    corpus = open_corpus(CorpusSource(CorpusSettings(path=folder)), Chunking(), tmp_path / "cache")
    assert [corpus[at].license for at in range(2)] == ["\ufffd", None]
    assert corpus[1].document == r"caf\udce9.txt"
    assert r"\ud800" in corpus.facts.faults[0].detail


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words", encoding="utf-8")
    settings = CorpusSettings(path=[tmp_path, tmp_path / "a.txt"])
    assert [file.name for file in CorpusSource(settings).files()] == ["a.txt"]


def test_records_have_numbers_and_their_own_licenses(tmp_path: Path) -> None:
    rows = [{"title": "One", "contents": "text one", "license": "MIT"}, {"text": "text two"}]
    lines = [*map(json.dumps, rows), "{broken", '"no object"', '{"body": 1}', ""]
    (tmp_path / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    pq.write_table(pa.table({"text": ["from parquet"], "title": ["P"]}), tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"no parquet")
    good, bad = read(tmp_path)
    assert [(d.key, d.title, d.license) for d in good] == [
        ("a.jsonl#1", "One", "MIT"),
        ("a.jsonl#2", "text two", None),
        ("b.parquet#1", "P", None),
    ]
    assert [b.reason for b in bad] == [
        "unreadable line",
        "no record",
        "no text field",
        "unreadable file",
    ]
    assert len({b.key for b in bad}) == 4 and "a.jsonl#3" in bad[0].detail


def test_pdf_text_page_by_page(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(pdf(["The Osk is 80 km long.", "Page two."]))
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.4 broken")
    (tmp_path / "c.pdf").write_bytes(pdf([" "]))
    good, bad = read(tmp_path)
    assert [(d.title, d.text) for d in good] == [("A report", "The Osk is 80 km long.\fPage two.")]
    assert [b.reason for b in bad] == ["unreadable PDF", "PDF without text"]


def test_a_pdf_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(pdf(["words"] * 3000))
    begun, limits = time.monotonic(), {"seconds": 0.5, "page_seconds": 1e-6}
    _, (bad,) = read(tmp_path, parsers={".pdf": {"settings": limits}})
    assert bad.reason == "PDF took too long" and time.monotonic() - begun < 30
    (good,), _ = read(tmp_path)  # the next reader is a new process
    assert good.text.startswith("words")


def test_what_is_no_text_or_too_large_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    (tmp_path / "b.txt").write_text("x" * 2000, encoding="utf-8")
    (tmp_path / "c.txt").write_text("  \n ", encoding="utf-8")
    (tmp_path / "d.txt.gz").write_bytes(gzip.compress(b"0" * 10**6))  # a small bomb
    (tmp_path / "e.txt.gz").write_bytes(b"no gzip")
    good, bad = read(tmp_path, max_bytes=1000)
    assert not good
    assert [b.reason for b in bad] == [
        "not UTF-8",
        "file too large",
        "empty document",
        "file too large",
        "unreadable file",
    ]


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "secret.txt"
    inside.mkdir()
    outside.write_text("secret", encoding="utf-8")
    (inside / "link.txt").symlink_to(outside)
    (inside / "a.txt").write_text("plain", encoding="utf-8")
    assert [d.key for d in read(inside)[0]] == ["a.txt"]


@pytest.mark.parametrize("name", ["none", "a.bin", "empty"])
def test_a_source_that_cannot_be_read_says_what_is_wrong(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=str(tmp_path / name)):
        read(tmp_path / name)


@pytest.mark.parametrize("include", ["", "/etc/*"])
def test_a_pattern_that_is_none_is_named(tmp_path: Path, include: str) -> None:
    with pytest.raises(InputError, match="include"):
        read(tmp_path, include=include)


def test_a_corpus_is_built_once_per_version(tmp_path: Path) -> None:
    folder, cache = tmp_path / "docs", tmp_path / "cache"
    folder.mkdir()
    (folder / "a.txt").write_text("Title\n\n" + "word " * 1000, encoding="utf-8")
    (folder / "b.txt").write_bytes(b"\xff\xfe\xff")
    source = CorpusSource(CorpusSettings(path=folder))
    corpus = open_corpus(source, Chunking(), cache)
    assert corpus.facts.documents == 1 and len(corpus) == corpus.facts.passages > 3
    assert [fault.reason for fault in corpus.facts.faults] == ["not UTF-8"]
    written = (corpus.folder / "passages.arrow").stat().st_mtime_ns
    again = open_corpus(source, Chunking(), cache)
    assert (again.folder / "passages.arrow").stat().st_mtime_ns == written
    assert open_corpus(source, Chunking(max_chars=500), cache).version != corpus.version
    (folder / "a.txt").write_text("Title\n\nother", encoding="utf-8")
    assert open_corpus(source, Chunking(), cache).version != corpus.version


def test_passages_come_back_as_they_were_cut(tmp_path: Path) -> None:
    text = "Title\n\n" + "A sentence of some length. " * 200
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    source = CorpusSource(CorpusSettings(path=tmp_path / "a.txt", license="MIT"))
    corpus = open_corpus(source, Chunking(), tmp_path / "cache")
    for at in range(len(corpus)):
        passage = corpus[at]
        assert text[passage.start : passage.end] == passage.text
        origin = passage.origin_of(2, 5)
        assert text[origin.start : origin.end] == passage.text[2:5]
        assert origin.license == "MIT" and origin.uri.endswith("a.txt")


SENTENCES = "The Osk is a long river. It has seven bridges, and one ferry.\n"


def test_passages_are_the_same_for_ever(tmp_path: Path) -> None:
    """Rows name passages by id, so the texts and cuts of all forms stay what they are."""
    pytest.importorskip("resiliparse")
    pytest.importorskip("pypdfium2")
    folder = tmp_path / "docs"
    folder.mkdir()
    blocks = "# Towns\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    items = "<ol><li>one<li>two</ol><table><tr><td>1<td>2</table>"
    page = f"<main><h1>Museums</h1><p>{20 * SENTENCES}</p>{items}</main>"
    lines = [(50.0, 760.0 - 12 * n, 10.0, SENTENCES.strip()) for n in range(30)]
    record = {"text": 20 * SENTENCES, "title": "T"}
    for name, text in {
        "a.txt": "Rivers\r\n\r\n" + 40 * SENTENCES,
        "b.md": blocks + 30 * SENTENCES,
        "c.html": f"<title>M</title>{page}",
        "d.jsonl": json.dumps(record),
    }.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    pq.write_table(pa.Table.from_pylist([record]), folder / "e.parquet")
    (folder / "f.pdf").write_bytes(make_pdf([lines, lines[:3]]))
    corpus = open_corpus(CorpusSource(CorpusSettings(path=folder)), Chunking(), tmp_path / "cache")
    found: dict[str, list[str]] = {}
    for passage in (corpus[at] for at in range(len(corpus))):
        found.setdefault(passage.document, []).append(passage.id)
    assert {name: (len(ids), ids[0], ids[-1]) for name, ids in found.items()} == {
        "a.txt": (3, "d1b6d5d351ec0ec4dab5", "d87828b7b70eb9857cb9"),
        "b.md": (3, "4d4e32224fcd74746e24", "1761373294c83d40ba85"),
        "c.html": (2, "6118b58b9455706ea710", "581f3a7ca7e9fe18cf22"),
        "d.jsonl#1": (2, "fa0f6d7b6a5c8c705a65", "21c41b48442cfb065dc0"),
        "e.parquet#1": (2, "d55a33c098b6dbc394ad", "9ddc76914b7488a28e3e"),
        "f.pdf": (3, "a831ea7496f664dc36c5", "c2bc22b6fdd555128018"),
    }
