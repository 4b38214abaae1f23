"""OCR engines and the text layer on pages with known truth, and the blocks made of their pieces."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from synthmill.rewards.document_tables import TableCell, parse_table, table_html, teds
from synthmill.rewards.documents import text_similarity
from synthmill.sources.documents.blocks import page_blocks
from synthmill.sources.documents.ocr.base import (
    TextPiece,
    ocr_engine_class,
    ocr_engines,
    read_text,
)
from synthmill.sources.documents.text_layer import text_layer
from synthmill.sources.pages import PagesSettings, PagesSource, page_image
from tests.generators.mineru_pro.made_pages import made_page, pdf_of, scan_of

DPI = 150
ENGINES = ("ocrad", "rapidocr", "tesseract")


def needs(name: str) -> None:
    missing = ocr_engine_class(name).missing()
    if missing:
        pytest.skip(f"{name} is missing: {missing}")


def html_of(cells) -> str:
    rows: dict[int, list[TableCell]] = {}
    for cell in cells:
        rows.setdefault(cell.row, []).append(TableCell(cell.text, cell.column_span, cell.row_span))
    return table_html(list(rows.values()))


def in_points(pieces):
    scale = 72 / DPI
    return [
        p._replace(x0=p.x0 * scale, y0=p.y0 * scale, x1=p.x1 * scale, y1=p.y1 * scale)
        for p in pieces
    ]


def test_the_engines_are_found():
    assert set(ocr_engines()) >= set(ENGINES)


@pytest.mark.parametrize("name", ["rapidocr", "tesseract"])
def test_an_engine_reads_a_scan_of_two_columns_and_a_table(name):
    """Blocks in reading order with their text, and the table's cells."""
    needs(name)
    made = made_page(3, columns=2)
    blocks = page_blocks(in_points(read_text(name, scan_of(made))), 600)
    assert [block.kind for block in blocks] == [truth.kind for truth in made.truth]
    for block, truth in zip(blocks, made.truth, strict=True):
        if truth.kind == "table":
            assert teds(html_of(block.cells), truth.content) >= 0.95
        else:
            assert text_similarity(block.text, truth.content) >= 0.98


def test_ocrad_reads_most_letters():
    needs("ocrad")
    made = made_page(5, tables=0)
    blocks = page_blocks(in_points(read_text("ocrad", scan_of(made))), 600)
    text = " ".join(truth.content for truth in made.truth)
    assert 0.8 < text_similarity(" ".join(block.text for block in blocks), text) < 1


@pytest.mark.parametrize("name", ENGINES)
def test_pages_without_text_are_empty(name):
    needs(name)
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(out, "PNG")
    assert read_text(name, out.getvalue()) == []
    with pytest.raises(OSError, match="cannot identify image"):
        read_text(name, b"no image")


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_the_text_layer_is_read_as_the_page_is_shown(tmp_path, turn):
    made = made_page(1, columns=2)
    data = pdf_of([made]).replace(b"/Rotate 0", f"/Rotate {turn}".encode())
    (tmp_path / "page.pdf").write_bytes(data)
    page = next(iter(PagesSource(PagesSettings(path=tmp_path)).items()))
    pieces = text_layer(page.path, page.sha256, page.number)
    assert all(0 <= p.x0 < p.x1 <= page.width and 0 <= p.y0 < p.y1 <= page.height for p in pieces)
    title = next(p for p in pieces if p.text == made.truth[0].content)
    middle = {0: (193, 61), 90: (739, 193), 180: (407, 739), 270: (61, 407)}[turn]
    assert (title.x0 + title.x1) / 2 == pytest.approx(middle[0], abs=15)
    assert (title.y0 + title.y1) / 2 == pytest.approx(middle[1], abs=15)


def test_the_text_layer_gives_the_truth(tmp_path):
    made = made_page(5)
    (tmp_path / "page.pdf").write_bytes(pdf_of([made]))
    page = next(iter(PagesSource(PagesSettings(path=tmp_path)).items()))
    blocks = page_blocks(text_layer(page.path, page.sha256, 1), page.width)
    assert [block.kind for block in blocks] == ["title", "text", "text", "table"]
    for block, truth in zip(blocks[:3], made.truth[:3], strict=True):
        assert text_similarity(block.text, truth.content) == 1.0
    assert teds(html_of(blocks[3].cells), made.truth[3].content) == 1.0


def test_pages_of_a_folder(tmp_path):
    """PDF pages and images are items; copies are left out, broken files say so."""
    pages = [made_page(seed) for seed in range(2)]
    (tmp_path / "a.pdf").write_bytes(pdf_of(pages))
    (tmp_path / "copy.pdf").write_bytes(pdf_of(pages))
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "scan.png").write_bytes(scan_of(pages[0]))
    items = list(PagesSource(PagesSettings(path=tmp_path)).items())
    assert [getattr(item, "number", "bad") for item in items] == [1, 2, "bad", 1]
    assert items[2].reason == "unreadable page file"
    assert (items[3].width, items[3].height) == pytest.approx((600, 800), abs=1)
    for item in (items[0], items[3]):
        image = Image.open(io.BytesIO(page_image(item, 300, 500_000)))
        assert image.width * image.height <= 505_000  # whole pixels


def piece(text, x, y, width, height=10.0):
    return TextPiece(text, x, y, x + width, y + height)


def test_columns_are_read_one_after_the_other_below_a_title():
    """The gaps between paragraphs are wider than the one below the title."""
    lines = [
        piece(f"{c}{k}", x, y, 200)
        for c, x in (("l", 0), ("r", 250))
        for k, y in enumerate((30, 42, 70, 82))
    ]
    blocks = page_blocks([piece("title", 0, 0, 450, 16), *lines], 460)
    assert [block.text for block in blocks] == ["title", "l0\nl1", "l2\nl3", "r0\nr1", "r2\nr3"]
    assert [block.kind for block in blocks] == ["title", *["text"] * 4]


def test_a_cell_over_two_columns_spans_them():
    rows = [
        [("a", 0, 90), ("b", 200, 30)],
        *[[(f"{c}{r}", x, 30) for c, x in (("x", 0), ("y", 60), ("z", 200))] for r in range(3)],
    ]
    pieces = [piece(t, x, 14 * r, w) for r, row in enumerate(rows) for t, x, w in row]
    (block,) = page_blocks(pieces, 600)
    assert block.kind == "table"
    first_row = parse_table(html_of(block.cells)).rows[0]
    assert first_row == (TableCell("a", 2, 1), TableCell("b", 1, 1))


PIECES = st.lists(
    st.builds(
        piece,
        st.text("ab", min_size=1, max_size=3),
        st.floats(-50, 500),
        st.floats(-50, 500),
        st.floats(0, 400),
        st.floats(0, 60),
    ),
    max_size=25,
)


@given(PIECES)
def test_no_piece_is_lost_or_doubled(pieces):
    """Whatever their places are, each piece with an area is in exactly one block."""
    blocks = page_blocks(pieces, 500)
    found = sorted("".join("".join(block.text.split()) for block in blocks))
    assert found == sorted("".join(p.text for p in pieces if p.x1 > p.x0 and p.y1 > p.y0))
