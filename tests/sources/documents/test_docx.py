"""DOCX files made by python-docx become the same tree."""

import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from synthmill.schemas.items import InvalidItem
from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    DocumentTitle,
    Figure,
    Footnote,
    Heading,
    ListElement,
    Paragraph,
    Table,
)
from synthmill.sources.documents.pictures import embedded_png
from tests.sources.documents.test_document import check_spans

docx = pytest.importorskip("docx")
image = pytest.importorskip("PIL.Image")

NOTES = (
    '<w:footnotes xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
    '<w:footnote w:id="7"><w:p><w:r><w:t>Without the delta.</w:t></w:r></w:p></w:footnote>'
    "</w:footnotes>"
)


def read(path: Path) -> Any:
    (item,) = CorpusSource(CorpusSettings(path=path)).items()
    return item


def made(path: Path) -> None:
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    out = docx.Document()
    out.add_paragraph("River report", style="Title")
    out.add_heading("Rivers", 1)
    noted = out.add_paragraph("The Osk is 80 km long")
    mark = OxmlElement("w:footnoteReference")
    mark.set(qn("w:id"), "7")
    noted.add_run()._r.append(mark)
    noted.add_run(" in all.")
    for item in ("one", "two"):
        out.add_paragraph(item, style="List Bullet")
    out.add_heading("Lengths", 2)
    out.add_paragraph("Table 1: Lengths", style="Caption")
    table = out.add_table(3, 3)
    table.cell(0, 0).merge(table.cell(1, 0)).text = "River"
    table.cell(0, 1).merge(table.cell(0, 2)).text = "km"
    for row, column, text in [
        (1, 1, "old"),
        (1, 2, "new"),
        (2, 0, "Osk"),
        (2, 1, "81"),
        (2, 2, "80"),
    ]:
        table.cell(row, column).text = text
    png = io.BytesIO()
    image.new("RGB", (40, 20), "red").save(png, "PNG")
    png.seek(0)
    out.add_picture(png)
    out.add_paragraph("Figure 1: A map", style="Caption")
    out.add_paragraph("The end.")
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, NOTES.encode(), out.part.package)
    out.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    out.save(path)


def test_a_docx_becomes_a_tree(tmp_path: Path) -> None:
    made(tmp_path / "a.docx")
    document = read(tmp_path / "a.docx")
    assert isinstance(document, Document)
    check_spans(document)
    assert [(type(e), document.text_of(e)) for e in document.elements] == [
        (DocumentTitle, "River report"),
        (Heading, "Rivers"),
        (Paragraph, "The Osk is 80 km long1 in all."),
        (ListElement, "• one\n• two"),
        (Heading, "Lengths"),
        (Table, "Table 1: Lengths\nRiver\tkm\nold\tnew\nOsk\t81\t80"),
        (Figure, "Figure 1: A map"),
        (Paragraph, "The end."),
        (Footnote, "Without the delta."),
    ]
    assert [(s.id, s.title) for s in document.sections] == [
        ("1", "River report"),
        ("2", "Rivers"),
        ("2.1", "Lengths"),
    ]
    assert {cell[:6] for cell in document.tables[0].cells} == {
        ("River", 0, 0, 2, 1, True),
        ("km", 0, 1, 1, 2, True),
        ("old", 1, 1, 1, 1, False),
        ("new", 1, 2, 1, 1, False),
        ("Osk", 2, 0, 1, 1, False),
        ("81", 2, 1, 1, 1, False),
        ("80", 2, 2, 1, 1, False),
    }
    note = document.elements[-1]
    assert isinstance(note, Footnote) and note.label == "1"
    assert [document.text[at : at + 1] for at in note.marks] == ["1"]
    (figure,) = document.figures
    assert document.original is not None and figure.image is not None
    shown = image.open(io.BytesIO(embedded_png(document.original, figure.image)))
    assert shown.size == (40, 20) and shown.getpixel((5, 5)) == (255, 0, 0)


def test_what_is_no_docx_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"no archive")
    with zipfile.ZipFile(tmp_path / "b.docx", "w") as archive:
        archive.writestr("a.txt", "no document")
    with (
        zipfile.ZipFile(tmp_path / "c.docx", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(65):
            part.write(bytes(8 << 20))
    found = [read(tmp_path / f"{name}.docx") for name in "abc"]
    assert all(isinstance(item, InvalidItem) for item in found)
    assert [item.reason for item in found] == [
        "unreadable DOCX",
        "unreadable DOCX",
        "file too large",
    ]
