"""What each parser finds of a document's structure."""

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    BoundingBox,
    CodeBlock,
    Figure,
    Footnote,
    Formula,
    Heading,
    ListElement,
    Paragraph,
    Table,
)
from synthmill.sources.documents.parsers.html import html_structure
from synthmill.sources.documents.parsers.markdown import markdown_elements
from synthmill.sources.reading.files import Unreadable
from tests.sources.documents.pdf_files import make_pdf
from tests.sources.documents.test_document import check_spans


def read(path: Path, **options: Any) -> list[Document]:
    items = CorpusSource(CorpusSettings(path=path, **options)).items()
    return [item for item in items if isinstance(item, Document)]


def markdown(text: str) -> Document:
    return Document("k", "u", "t", text, structure=markdown_elements)


def html(source: str) -> Document:
    pytest.importorskip("resiliparse")
    text, elements = html_structure(source)
    return Document("k", "u", "t", text, structure=elements)


def shown(document: Document) -> list[tuple[str, str]]:
    return [(type(e).__name__, document.text_of(e)) for e in document.elements]


MARKDOWN = r"""intro

# Rivers *of* the north #

Towns
-----

- one
- two
  - nested
    goes on

1. first

| Year | Sum \| all |
|------|:---:|
| 2019 | 7 |

```python
# no heading
```

$$
E = mc^2
$$

![A map](map.png "shown")

[^1]: The first note.
[^b]: Second

> ### Quoted
> words
"""


def test_markdown_becomes_headings_lists_tables_and_the_like() -> None:
    document = markdown(MARKDOWN)
    assert shown(document) == [
        ("Paragraph", "intro"),
        ("Heading", "Rivers *of* the north"),
        ("Heading", "Towns"),
        ("ListElement", "- one\n- two\n  - nested\n    goes on"),
        ("ListElement", "1. first"),
        ("Table", "| Year | Sum \\| all |\n|------|:---:|\n| 2019 | 7 |"),
        ("CodeBlock", "```python\n# no heading\n```"),
        ("Formula", "$$\nE = mc^2\n$$"),
        ("Figure", '![A map](map.png "shown")'),
        ("Footnote", "The first note."),
        ("Footnote", "Second"),
        ("Heading", "Quoted"),
        ("Paragraph", "words"),
    ]
    check_spans(document)
    by_type = {type(element): element for element in reversed(document.elements)}
    bullets = by_type[ListElement]
    assert isinstance(bullets, ListElement) and not bullets.ordered
    assert [(document.text_of(item), item.level) for item in bullets.items] == [
        ("one", 1),
        ("two", 1),
        ("nested\n    goes on", 2),
    ]
    table = by_type[Table]
    assert isinstance(table, Table)
    assert [(c.row, c.column, c.text, c.header) for c in table.cells] == [
        (0, 0, "Year", True),
        (0, 1, "Sum | all", True),
        (1, 0, "2019", False),
        (1, 1, "7", False),
    ]
    formula, figure, note = by_type[Formula], by_type[Figure], by_type[Footnote]
    assert isinstance(formula, Formula) and formula.latex == "E = mc^2"
    assert isinstance(figure, Figure) and (figure.caption, figure.image) == ("A map", "map.png")
    assert isinstance(note, Footnote) and note.label == "1"
    assert [(s.id, s.title) for s in document.sections] == [
        ("1", "t"),
        ("2", "Rivers *of* the north"),
        ("2.1", "Towns"),
        ("2.1.1", "Quoted"),
    ]
    section = document.sections[1]
    assert document.text_of(section).startswith("# Rivers"), "with the marks before its title"


@given(st.text(st.sampled_from("ab #*-+1.>|:`$![]()^\\\n\t =_~<&"), max_size=120))
@settings(max_examples=400)
def test_any_text_is_markdown(text: str) -> None:
    document = markdown(text)
    check_spans(document)
    for element in document.elements:
        for item in element.items if isinstance(element, ListElement) else ():
            assert element.start <= item.start < item.end <= element.end
            assert document.text_of(item) == document.text_of(item).strip()
    kept = {at for e in document.elements for at in range(e.start, e.end)}
    lost = "".join(c for at, c in enumerate(text) if at not in kept and c.isalnum())
    assert not lost.strip("1"), "no word is outside of all elements"


words = st.text(st.sampled_from("abcdefg <&>é"), min_size=1, max_size=20).filter(str.strip)


@dataclass
class Made:
    """A block of a page that was made, and what its parser shall find."""

    source: str
    kind: str
    text: str


@st.composite
def blocks(draw: Any, number: int) -> Made:
    text = f"word{number} " + " ".join(draw(words).split())
    kind = draw(st.sampled_from(["Heading", "Paragraph", "CodeBlock"]))
    tag = {"Heading": f"h{draw(st.integers(1, 6))}", "Paragraph": "p", "CodeBlock": "pre"}[kind]
    return Made(f"<{tag}>{escape(text)}</{tag}>", kind, text)


@st.composite
def pages(draw: Any) -> list[Made]:
    return [draw(blocks(number)) for number in range(draw(st.integers(1, 8)))]


@given(pages())
@settings(max_examples=60, deadline=None)
def test_a_page_is_read_back_as_it_was_made(made: list[Made]) -> None:
    source = "".join(block.source for block in made)
    document = html(f"<html><body><main>{source}</main></body></html>")
    check_spans(document)
    found = [(kind, " ".join(text.split())) for kind, text in shown(document)]
    assert found == [(block.kind, " ".join(block.text.split())) for block in made]


TAGS = ["h1", "p", "ul", "ol", "li", "pre", "table", "tr", "td", "figcaption", "figure", "math"]
markup = st.one_of(
    st.sampled_from(TAGS).map(lambda tag: f"<{tag}>"),
    st.sampled_from(TAGS).map(lambda tag: f"</{tag}>"),
    st.sampled_from(["<td rowspan=99999999 colspan=99999999>", "&lt;p&gt;", "\n\n", "• 1. x"]),
    words,
)


@given(st.lists(markup, max_size=25))
@settings(deadline=None)
def test_elements_cover_any_page(pieces: list[str]) -> None:
    document = html(f"<main>{' '.join(pieces)}</main>")
    check_spans(document)
    covered = "".join(map(document.text_of, document.elements))
    assert "".join(covered.split()) == "".join(document.text.split())


HTML = """<html><head><title>T</title></head><body><nav><a href=x>Home</a></nav><main>
<h1>Rivers <em>&amp;</em> towns</h1><p>A paragraph
on two lines.</p><ol><li>first</li><li>second <ol><li>inner</li></ol></li></ol>
<table><caption>Lengths</caption><tr><th>River</th><th colspan=2>km</th></tr>
<tr><td rowspan=2>Osk</td><td>1</td><td>2<br>3</td></tr><tr><td>4</td><td>5</td></tr></table>
<pre>code &lt;x&gt;
  more</pre>
<figure><img src="a.png" alt="Two rivers"><figcaption>Figure 1: a map</figcaption></figure>
<h2>Part two</h2><p>The end.</p></main></body></html>"""


def test_html_becomes_headings_lists_tables_and_figures() -> None:
    document = html(HTML)
    check_spans(document)
    assert shown(document) == [
        ("Heading", "Rivers & towns"),
        ("Paragraph", "A paragraph on two lines."),
        ("ListElement", "1. first\n  2. second\n    1. inner"),
        ("Table", document.text[document.text.index("Lengths") : document.text.index("\ncode")]),
        ("CodeBlock", "code <x>\n  more"),
        ("Figure", "Two rivers\nFigure 1: a map"),
        ("Heading", "Part two"),
        ("Paragraph", "The end."),
    ]
    steps, table, figure = (document.elements[place] for place in (2, 3, 5))
    assert isinstance(steps, ListElement) and steps.ordered
    assert [(document.text_of(i), i.level) for i in steps.items] == [
        ("first", 1),
        ("second", 1),
        ("inner", 2),
    ]
    assert isinstance(table, Table) and table.caption == "Lengths"
    assert [cell[:5] for cell in table.cells] == [
        ("River", 0, 0, 1, 1),
        ("km", 0, 1, 1, 2),
        ("Osk", 1, 0, 2, 1),
        ("1", 1, 1, 1, 1),
        ("2 3", 1, 2, 1, 1),
        ("4", 2, 1, 1, 1),
        ("5", 2, 2, 1, 1),
    ]
    assert isinstance(figure, Figure) and (figure.image, figure.alt) == ("a.png", "Two rivers")
    assert [(s.id, s.title) for s in document.sections] == [
        ("1", "Rivers & towns"),
        ("1.1", "Part two"),
    ]


REPORT = [
    [
        (50, 740, 24, "Annual report"),
        (50, 690, 16, "Rivers"),
        (50, 660, 10, "The Osk is a long river, and it"),
        (50, 648, 10, "runs for eighty kilometres."),
        (50, 620, 10, "A second paragraph."),
    ],
    [(50, 740, 16, "Towns"), (300, 700, 10, "There is one town on the river.")],
]


def test_pdf_becomes_pages_headings_and_paragraphs_with_boxes(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(make_pdf(REPORT))
    (document,) = read(tmp_path)
    check_spans(document)
    assert shown(document) == [
        ("DocumentTitle", "Annual report"),
        ("Heading", "Rivers"),
        ("Paragraph", "The Osk is a long river, and it runs for eighty kilometres."),
        ("Paragraph", "A second paragraph."),
        ("Heading", "Towns"),
        ("Paragraph", "There is one town on the river."),
    ]
    assert [(s.id, s.title, s.page) for s in document.sections] == [
        ("1", "A report", 1),
        ("2", "Rivers", 1),
        ("3", "Towns", 2),
    ]
    assert [(p.number, p.width, p.height) for p in document.pages] == [(1, 600, 800), (2, 600, 800)]
    assert document.text_of(document.pages[1]).startswith("Towns")
    for element in document.elements:
        page = document.pages[(element.page or 0) - 1]
        assert page.start <= element.start < element.end <= page.end
    box = document.elements[2].box
    assert isinstance(box, BoundingBox)
    assert box.x0 == pytest.approx(50, abs=2) and box.y0 == pytest.approx(800 - 668, abs=3)
    assert box.y1 == pytest.approx(800 - 646, abs=3), "of both lines"


@pytest.mark.parametrize(("turn", "corner"), [(90, (740, 50)), (180, (550, 740)), (270, (60, 550))])
def test_boxes_are_those_of_the_page_as_it_is_shown(
    tmp_path: Path, turn: int, corner: tuple[float, float]
) -> None:
    """The corner is where the first line's lower left one comes to be when the page is turned."""
    pytest.importorskip("pypdfium2")
    (tmp_path / "a.pdf").write_bytes(make_pdf([[(50, 740, 24, "Annual")]], turn=turn))
    (document,) = read(tmp_path)
    box = document.elements[0].box
    page = document.pages[0]
    assert box is not None and (page.width < page.height) == (turn == 180)
    corners = [(x, y) for x in (box.x0, box.x1) for y in (box.y0, box.y1)]
    assert min(abs(x - corner[0]) + abs(y - corner[1]) for x, y in corners) < 4


def test_the_outline_of_a_pdf_makes_its_headings(tmp_path: Path) -> None:
    pytest.importorskip("pypdfium2")
    pages = [[(50, 740, 12, "1 Rivers"), (50, 600, 12, "Words.")], [(50, 740, 12, "Towns")]]
    data = make_pdf(pages, extra="/Outlines 8 0 R").decode()
    entries = (
        "8 0 obj\n<< /First 9 0 R /Last 9 0 R >>\nendobj\n"
        "9 0 obj\n<< /Title (Rivers) /Parent 8 0 R /Dest [4 0 R /Fit] /First 10 0 R "
        "/Last 10 0 R >>\nendobj\n"
        "10 0 obj\n<< /Title (Towns) /Parent 9 0 R /Dest [6 0 R /Fit] >>\nendobj\n"
    )
    body, rest = data.split("xref\n", 1)
    # Without its table of offsets, the file is repaired by a scan for objects.
    (tmp_path / "a.pdf").write_bytes((body + entries + "xrex\n" + rest).encode())
    (document,) = read(tmp_path)
    assert shown(document) == [
        ("Heading", "1 Rivers"),
        ("Paragraph", "Words."),
        ("Heading", "Towns"),
    ]
    assert [s.id for s in document.sections] == ["1", "1.1"]


def test_records_and_plain_text_are_paragraphs(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "One.\n\nTwo."}))
    (tmp_path / "b.txt").write_text("First.\n\n# Second.")
    for document in read(tmp_path):
        assert [type(element) for element in document.elements] == [Paragraph, Paragraph]


def test_a_file_that_changed_has_no_structure_any_more(tmp_path: Path) -> None:
    pytest.importorskip("resiliparse")
    (tmp_path / "a.html").write_text("<main><h1>Old</h1><p>words</p></main>")
    (document,) = read(tmp_path)
    (tmp_path / "a.html").write_text("<main><h1>New</h1><p>words</p></main>")
    with pytest.raises(Unreadable, match="other text"):
        assert document.elements


def test_code_and_headings_are_told_apart() -> None:
    document = markdown("    # code\n\n# heading")
    assert [type(element) for element in document.elements] == [CodeBlock, Heading]
