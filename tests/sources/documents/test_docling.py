"""Docling's documents become the same tree; its models are not run here."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from synthmill.schemas.errors import InputError
from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.docling import tree_of
from tests.sources.documents.pdf_files import make_pdf
from tests.sources.documents.test_document import check_spans


@pytest.mark.skipif(find_spec("docling") is not None, reason="docling is installed")
def test_without_docling_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(make_pdf([[(50, 700, 12, "words")]]))
    source = CorpusSource(CorpusSettings(path=tmp_path, parsers={".pdf": "docling"}))
    with pytest.raises(InputError, match=r"extra 'docling': pip install 'synthmill\[docling\]'"):
        next(source.items())


def test_a_docling_document_becomes_a_tree() -> None:
    core = pytest.importorskip("docling_core.types.doc")
    made = core.DoclingDocument(name="report")
    for number in (1, 2, 3):
        made.add_page(page_no=number, size=core.Size(width=600, height=800))

    def at(page: int) -> object:
        box = core.BoundingBox(l=50, t=700, r=550, b=680, coord_origin=core.CoordOrigin.BOTTOMLEFT)
        return core.ProvenanceItem(page_no=page, bbox=box, charspan=(0, 1))

    made.add_title("A report", prov=at(1))
    made.add_heading("Rivers", level=1, prov=at(1))
    made.add_text(core.DocItemLabel.TEXT, "The Osk is long.", prov=at(1))
    for text in ("one", "two"):
        made.add_list_item(text, prov=at(1))
    made.add_text(core.DocItemLabel.FOOTNOTE, "1 A note.", prov=at(1))
    caption = made.add_text(core.DocItemLabel.CAPTION, "Table 1: Lengths", prov=at(3))
    cells = [
        core.TableCell(
            text=text,
            start_row_offset_idx=0,
            end_row_offset_idx=1,
            start_col_offset_idx=column,
            end_col_offset_idx=column + 1,
            column_header=True,
        )
        for column, text in enumerate(["River", "km"])
    ]
    data = core.TableData(num_rows=1, num_cols=2, table_cells=cells)
    made.add_table(data, caption=caption, prov=at(3))
    made.add_picture(prov=at(3))
    tree = tree_of(made)
    document = Document("k", "u", tree.title, tree.text, pages=tree.pages, structure=tree.elements)
    check_spans(Document("k", "u", "t", tree.text, structure=tree.elements[:-1]))
    assert [(type(e).__name__, e.page, document.text_of(e)) for e in document.elements] == [
        ("DocumentTitle", 1, "A report"),
        ("Heading", 1, "Rivers"),
        ("Paragraph", 1, "The Osk is long."),
        ("ListElement", 1, "• one\n• two"),
        ("Footnote", 1, "1 A note."),
        ("Table", 3, "Table 1: Lengths\nRiver\tkm"),
        ("Figure", 3, ""),
    ]
    assert [cell[:6] for cell in document.tables[0].cells] == [
        ("River", 0, 0, 1, 1, True),
        ("km", 0, 1, 1, 1, True),
    ]
    assert document.elements[0].box == (50, 100, 550, 120)
    assert [document.text_of(page)[:8] for page in document.pages] == ["A report", "", "Table 1:"]
