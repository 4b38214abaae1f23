"""The XML views of a document: what an outline keeps, and that any document gives legal XML."""

from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    Cell,
    DocumentTitle,
    Element,
    Figure,
    Footnote,
    Page,
    Paragraph,
    Table,
)
from synthmill.sources.documents.structure import MAX_DEPTH, StructureBuilder
from synthmill.sources.documents.views import OUTLINE_PAGES, full_xml, outline_xml


class Writer:
    """Builds a document block by block; a page of its own for each call of `page`."""

    def __init__(self) -> None:
        self.text = ""
        self.tree = StructureBuilder()
        self.number = 1

    def span(self, text: str) -> dict[str, int]:
        self.text += "\n\n" if self.text else ""
        start = len(self.text)
        self.text += text
        return {"start": start, "end": len(self.text), "page": self.number}

    def heading(self, text: str, level: int) -> None:
        at = self.span(text)
        self.tree.add_heading(at["start"], at["end"], level, self.number)

    def paragraph(self, text: str) -> None:
        self.tree.add(Paragraph(**self.span(text)))

    def document(self) -> Document:
        pages = [Page(n, 600, 800, 0, 0) for n in range(1, self.number + 1)]
        return Document("k", "u", "T", self.text, pages=pages, structure=self.tree.elements())


def report() -> Document:
    out = Writer()
    out.tree.add(DocumentTitle(**out.span("The <great> report")))
    out.heading("1 Rivers", 1)
    out.paragraph("The Osk is long. It is 80 km.")
    out.paragraph("More of it.")
    out.heading("1.1 Lengths", 2)
    cells = (Cell("River", 0, 0, 1, 2, True), Cell("Osk", 1, 0), Cell("80 < 90", 1, 1))
    out.tree.add(Table(**out.span("Table 1\nOsk 80"), cells=cells, caption="Table 1: lengths"))
    out.number = OUTLINE_PAGES + 1
    out.tree.add(Figure(**out.span("Figure 1"), caption="Figure 1", alt="A map. With rivers."))
    out.paragraph("Too late.")
    out.tree.add(Footnote(**out.span("A note."), label="1"))
    out.tree.add(Table(**out.span("late"), cells=cells))
    return out.document()


FULL = """<Document>
<Section section_id="1" start_page_num="1" end_page_num="1">
<Title>The &lt;great&gt; report</Title>
</Section>
<Section section_id="2" start_page_num="1" end_page_num="101">
<Heading>1 Rivers</Heading>
<Paragraph page_num="1">The Osk is long. It is 80 km.
More of it.</Paragraph>
<Section section_id="2.1" start_page_num="1" end_page_num="101">
<Heading>1.1 Lengths</Heading>
<HTML_Table table_id="1" page_num="1">
<table><tr><th colspan="2">River</th></tr><tr><td>Osk</td><td>80 &lt; 90</td></tr></table>
<Caption>Table 1: lengths</Caption>
</HTML_Table>
<Image image_id="1" page_num="101">
<Alt_Text>A map. With rivers.</Alt_Text>
<Caption>Figure 1</Caption>
</Image>
<Paragraph page_num="101">Too late.</Paragraph>
<Footnote label="1" page_num="101">A note.</Footnote>
<HTML_Table table_id="2" page_num="101">
<table><tr><th colspan="2">River</th></tr><tr><td>Osk</td><td>80 &lt; 90</td></tr></table>
</HTML_Table>
</Section>
</Section>
</Document>"""


def test_the_full_view_holds_everything() -> None:
    document = report()
    assert full_xml(document) == FULL
    (inner,) = [section for section in document.sections if section.id == "2.1"]
    assert full_xml(document, inner) in FULL and "1.1 Lengths" in full_xml(document, inner)
    assert document.parents_of(inner) == (document.sections[1],)


def test_an_outline_has_first_sentences_and_less_after_page_100() -> None:
    outline = outline_xml(report())
    assert '<Paragraph page_num="1" first_sentence="The Osk is long"/>' in outline
    assert "It is 80 km" not in outline and "More of it" not in outline
    assert '<Alt_Text first_sentence_of_image_description="A map"/>' in outline
    assert "Too late" not in outline and outline.count("<table>") == 1
    assert '<HTML_Table table_id="2" page_num="101">\n</HTML_Table>' in outline
    assert '<Footnote label="1" page_num="101">A note.</Footnote>' in outline
    described = outline_xml(report(), {1: "Two rivers. And a town."})
    assert 'first_sentence_of_image_description="Two rivers"' in described


texts = st.text(st.sampled_from("ab. <>&\"']\0\x1f\uffff\n"), min_size=1, max_size=30).filter(
    str.strip
)


@given(st.lists(st.tuples(st.integers(-1, 14), texts), max_size=14))
def test_any_document_gives_legal_xml(blocks: list[tuple[int, str]]) -> None:
    """A number below one is a paragraph or a table, any other a heading of that level."""
    out = Writer()
    for level, text in blocks:
        if level > 0:
            out.heading(text, level)
        elif level == 0:
            out.paragraph(text)
        else:
            out.tree.add(Table(**out.span(text), cells=(Cell(text, 0, 0),), caption=text))
    document = out.document()
    for view in (full_xml(document), outline_xml(document)):
        root = ElementTree.fromstring(view)
        ids = [section.get("section_id") for section in root.iter("Section")]
        assert ids == [section.id for section in document.sections]
        assert max((str(name).count(".") for name in ids), default=0) < MAX_DEPTH


def test_elements_are_found_by_place() -> None:
    elements: tuple[Element, ...] = (
        Paragraph(start=0, end=3, page=1),
        Figure(start=3, end=3, page=1),
        Paragraph(start=4, end=7, page=2),
    )
    pages = [Page(1, 9, 9, 0, 3), Page(2, 9, 9, 4, 7)]
    document = Document("k", "u", "t", "one\ftwo", pages=pages, structure=elements)
    assert document.elements_in(pages[0]) == elements[:2]
    assert document.elements_in(pages[1]) == elements[2:]
    assert [document.page_at(offset) for offset in (0, 3, 4, 6)] == [*2 * pages[:1], *2 * pages[1:]]
    (section,) = document.sections
    assert (section.page, section.end_page) == (1, 2) and document.section_at(5) == section
