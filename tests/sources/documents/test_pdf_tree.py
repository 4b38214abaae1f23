"""The tree of PDF files whose content is known: made reports, their scans, and odd pages."""

import pickle
from pathlib import Path
from typing import Any

import pytest

from synthmill.schemas.errors import InputError
from synthmill.schemas.items import InvalidItem
from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    DocumentTitle,
    Element,
    Figure,
    Footnote,
    Heading,
    ListElement,
    Table,
)
from synthmill.sources.documents.ocr.tesseract import Tesseract
from tests.made_documents import MadeElement, made_report, scanned
from tests.sources.documents.pdf_files import make_pdf

pytest.importorskip("pypdfium2")
pytest.importorskip("reportlab")


def read(path: Path, data: bytes, cache: Path | None = None, **settings: Any) -> Any:
    path.write_bytes(data)
    source = CorpusSource(CorpusSettings(path=path, parsers={".pdf": {"settings": settings}}))
    source.cache = cache
    (item,) = source.items()
    return item


def found_of(document: Document, element: Element) -> tuple[Any, ...]:
    """An element in a form that compares with a made one."""
    if isinstance(element, Heading):
        return element.page, "heading", element.level, document.text_of(element)
    if isinstance(element, DocumentTitle):
        return element.page, "title", 0, document.text_of(element)
    if isinstance(element, ListElement):
        return element.page, "list", tuple(map(document.text_of, element.items))
    if isinstance(element, Table):
        return element.page, "table", element.caption, {tuple(cell[:6]) for cell in element.cells}
    if isinstance(element, Figure):
        return element.page, "figure", element.caption
    if isinstance(element, Footnote):
        marked = [document.text[at : at + len(element.label)] for at in element.marks]
        return element.page, "footnote", element.label, document.text_of(element), marked
    return element.page, "paragraph", document.text_of(element)


def truth_of(made: MadeElement) -> tuple[Any, ...]:
    if made.kind in ("heading", "title"):
        return made.page, made.kind, made.level, made.text
    if made.kind == "list":
        return made.page, "list", made.items
    if made.kind == "table":
        cells = {(c.text, c.row, c.column, c.row_span, c.column_span, c.header) for c in made.cells}
        return made.page, "table", made.caption, cells
    if made.kind == "figure":
        return made.page, "figure", made.caption
    if made.kind == "footnote":
        return made.page, "footnote", made.label, made.text, [made.label]
    return made.page, "paragraph", made.text


@pytest.mark.parametrize("columns", [1, 2])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_made_report_is_read_back(tmp_path: Path, seed: int, columns: int) -> None:
    """Order, pages, levels, lists, cells with spans, captions, footnotes with their marks: all."""
    made = made_report(seed, columns)
    document = read(tmp_path / "a.pdf", made.pdf)
    assert document.title == made.title
    found = [found_of(document, element) for element in document.elements]
    assert found == [truth_of(element) for element in made.elements]


def test_a_scan_needs_an_engine_and_is_read_by_it(tmp_path: Path) -> None:
    made = made_report(4, sections=1)
    data = scanned(made)
    without = read(tmp_path / "a.pdf", data)
    assert isinstance(without, InvalidItem)
    assert without.reason == "PDF without text" and "`ocr`" in without.detail
    if Tesseract.missing():
        pytest.skip("tesseract is not installed")
    document = read(tmp_path / "a.pdf", data, ocr="tesseract")
    assert isinstance(document, Document)
    wanted = " ".join(e.text for e in made.elements if e.kind in ("paragraph", "heading")).split()
    found = set(document.text.replace("\n", " ").split())
    assert sum(word in found for word in wanted) > 0.97 * len(wanted)
    headings = [document.text_of(e) for e in document.elements if isinstance(e, Heading)]
    assert headings == [e.text for e in made.of_kind("heading")]
    (table,) = document.tables
    cells = {(c.text, c.row, c.column) for c in made.of_kind("table")[0].cells}
    right = cells & {(c.text, c.row, c.column) for c in table.cells}
    assert len(right) > 0.9 * len(cells)


def test_an_engine_that_is_not_there_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"ocr: tesseract is not there: apt install"):
        read(tmp_path / "a.pdf", make_pdf([[(50, 700, 12, "words")]]), ocr="tesseract")


def test_cut_words_are_put_together_and_compounds_kept(tmp_path: Path) -> None:
    lines = ["The meas-", "urement of a well-known and long-", "term river was a", "well-", "known"]
    page = [(50.0, 700.0 - 12 * at, 10.0, line) for at, line in enumerate(lines)]
    page += [(50.0, 500.0, 10.0, "A long-term plan.")]
    document = read(tmp_path / "a.pdf", make_pdf([page]))
    assert document.text == (
        "The measurement of a well-known and long-term river was a well-known\n\nA long-term plan."
    )


def test_headers_that_pages_repeat_are_left_out(tmp_path: Path) -> None:
    pages = [
        [(50, 770, 8, f"Yearly report {at}"), (50, 600, 10, f"Text {at}."), (290, 20, 8, str(at))]
        for at in range(1, 6)
    ]
    document = read(tmp_path / "a.pdf", make_pdf(pages))
    assert document.text == "\f".join(f"Text {at}." for at in range(1, 6))


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_pages_are_read_as_they_are_shown(tmp_path: Path, turn: int) -> None:
    """The page is shown turned, and so its text runs up, down or upside down."""
    lines = [(50.0, 700.0 - 12 * at, 10.0, f"Line {at} of a text that") for at in range(4)]
    straight = read(tmp_path / "a.pdf", make_pdf([[(50, 760, 20, "Head"), *lines]]))
    document = read(tmp_path / "b.pdf", make_pdf([[(50, 760, 20, "Head"), *lines]], turn=turn))
    assert document.text == straight.text and "Line 0 of a text that Line 1" in document.text
    for element in document.elements:
        page = document.pages[0]
        assert element.box is not None and 0 <= element.box.x0 < element.box.x1 <= page.width
        assert 0 <= element.box.y0 < element.box.y1 <= page.height


def test_a_paragraph_that_a_page_cuts_goes_on(tmp_path: Path) -> None:
    pages = [[(50, 400, 10, "The river is long and")], [(50, 700, 10, "runs to the sea.")]]
    document = read(tmp_path / "a.pdf", make_pdf(pages))
    assert [getattr(element, "continues", None) for element in document.elements] == [False, True]


def reportlab_page(path: Path, draw: Any, **options: Any) -> bytes:
    from reportlab.pdfgen.canvas import Canvas

    canvas = Canvas(str(path), **options)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return path.read_bytes()


def test_pages_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    from reportlab.lib.pdfencrypt import StandardEncryption

    def text(canvas: Any) -> None:
        canvas.drawString(72, 700, "secret words")

    def form(canvas: Any) -> None:
        canvas.acroForm.textfield(name="a", x=72, y=600, width=200, height=20)

    locked = reportlab_page(tmp_path / "1.pdf", text, encrypt=StandardEncryption("user", "owner"))
    only_form = reportlab_page(tmp_path / "2.pdf", form)
    whole = make_pdf([[(50, 700, 12, "words")]] * 3)
    found = [read(tmp_path / "a.pdf", data) for data in (locked, only_form, whole[:300], b"")]
    assert [item.reason for item in found] == [
        "encrypted PDF",
        "PDF without text",
        "unreadable PDF",
        "unreadable PDF",
    ]


def test_hostile_pages_stay_within_limits(tmp_path: Path) -> None:
    """Thousands of lines that cross, words at every place, a page of 200 inches."""

    def grid(canvas: Any) -> None:
        for at in range(400):
            canvas.line(at, 0, at, 800)
            canvas.line(0, 2 * at, 600, 2 * at)
        for at in range(3000):
            canvas.drawString((at * 37) % 560, (at * 91) % 800, "x")

    def large(canvas: Any) -> None:
        canvas.setPageSize((14400, 14400))
        canvas.drawString(7000, 7000, "in the middle")
        canvas.circle(7000, 3000, 2000)

    assert read(tmp_path / "a.pdf", reportlab_page(tmp_path / "1.pdf", grid)).text
    document = read(tmp_path / "b.pdf", reportlab_page(tmp_path / "2.pdf", large))
    assert document.text == "in the middle" and len(document.figures) == 1


def test_right_to_left_text_is_read_in_its_order(tmp_path: Path) -> None:
    font = next(Path("/usr/share/fonts").rglob("DejaVuSans.ttf"), None) or next(
        Path(pytest.importorskip("matplotlib").get_data_path()).rglob("DejaVuSans.ttf"), None
    )
    assert font is not None
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    pdfmetrics.registerFont(TTFont("DejaVu", str(font)))
    words = ["שלום", "עולם", "גדול"]

    def text(canvas: Any) -> None:
        canvas.setFont("DejaVu", 12)
        for at, word in enumerate(words):  # as they are seen: the first is the rightmost
            canvas.drawString(400 - 60 * at, 700, word[::-1])

    document = read(tmp_path / "a.pdf", reportlab_page(tmp_path / "1.pdf", text))
    assert document.text == " ".join(words)


def test_a_tree_is_parsed_once_and_read_back_lazily(tmp_path: Path) -> None:
    made = made_report(1, sections=1)
    cache = tmp_path / "cache"
    first = read(tmp_path / "a.pdf", made.pdf, cache)
    (folder,) = (cache / "documents").iterdir()
    stamp = (folder / "elements.jsonl").stat().st_mtime_ns
    again = read(tmp_path / "other name.pdf", made.pdf, cache)
    assert (folder / "elements.jsonl").stat().st_mtime_ns == stamp, "the same bytes"
    assert again.text == first.text and list(again.elements) == list(first.elements)
    assert again.elements[-1] == first.elements[len(first.elements) - 1]
    copy = pickle.loads(pickle.dumps(again.elements))
    assert list(copy) == list(again.elements), "also in a worker"
    read(tmp_path / "a.pdf", made.pdf, cache, max_pages=1)
    assert len(list((cache / "documents").iterdir())) == 2, "another setting, another tree"
