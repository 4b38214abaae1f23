"""The document tree: spans of one text, numbered sections, and an outline that covers it."""

from hypothesis import given
from hypothesis import strategies as st

from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import Element, Heading, Paragraph
from synthmill.sources.documents.structure import StructureBuilder, paragraphs

texts = st.text(st.sampled_from("ab .\n\t\f\u2003\u0085"), max_size=80)


def sections(levels: list[int], opens_with_text: bool = False) -> list[str]:
    tree = StructureBuilder()
    if opens_with_text:
        tree.add(Paragraph(start=0, end=0))
    for level in levels:
        tree.add_heading(0, 0, level)
    return [e.section for e in tree.elements() if isinstance(e, Heading)]


def test_sections_are_numbered_within_their_parents() -> None:
    assert sections([1, 2, 2, 3, 1, 2]) == ["1", "1.1", "1.2", "1.2.1", "2", "2.1"]
    assert sections([1, 4, 2, 4, 4]) == ["1", "1.1", "1.2", "1.2.1", "1.2.2"], "no level is skipped"
    assert sections([3, 2, 1]) == ["1", "2", "3"]
    assert sections([1, 2], opens_with_text=True) == ["2", "2.1"], "the text before is section 1"


@given(texts)
def test_paragraphs_hold_every_character_that_is_not_white_space(text: str) -> None:
    document = Document("k", "u", "t", text)
    found = [document.text_of(element) for element in document.elements]
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(part == part.strip() and "\n\n" not in part and "\f" not in part for part in found)
    check_spans(document)


def check_spans(document: Document) -> None:
    """Elements are in order, within the text, apart from each other, and not blank."""
    done = 0
    for element in document.elements:
        assert done <= element.start < element.end <= len(document.text)
        assert document.text_of(element).strip() == document.text_of(element)
        done = element.end


@given(st.lists(st.integers(0, 6), max_size=12))
def test_an_outline_covers_the_text_from_its_first_element_on(levels: list[int]) -> None:
    """Zero is a paragraph, any other number a heading of that level."""
    lines = [f"line {number}" for number in range(len(levels))]

    def build(text: str) -> tuple[Element, ...]:
        tree = StructureBuilder()
        for line, level in zip(lines, levels, strict=True):
            start = text.index(line)
            if level:
                tree.add_heading(start, start + len(line), level)
            else:
                tree.add(Paragraph(start=start, end=start + len(line)))
        return tree.elements()

    document = Document("k", "u", "The title", "\n".join(lines) + "\n", structure=build)
    outline = document.sections
    assert len({section.id for section in outline}) == len(outline)
    tops = [section for section in outline if "." not in section.id]
    assert [s.start for s in tops] == [0, *(s.end for s in tops)][: len(tops)]
    assert not levels or tops[-1].end == len(document.text)
    assert [s.title for s in outline if s.start or (levels and levels[0])] == [
        line for line, level in zip(lines, levels, strict=True) if level
    ]
    for parent in outline:
        for child in outline:
            if child.id.startswith(f"{parent.id}."):
                assert parent.start < child.start < child.end <= parent.end
    if levels and not levels[0]:
        assert (outline[0].id, outline[0].title) == ("1", "The title")


def test_structure_is_found_when_it_is_asked_for() -> None:
    asked: list[str] = []

    def structure(text: str) -> tuple[Element, ...]:
        asked.append(text)
        return paragraphs(text)

    document = Document("k", "u", "t", "some text", structure=structure)
    assert document.sha256 and not asked
    assert document.elements is document.elements and asked == ["some text"]
