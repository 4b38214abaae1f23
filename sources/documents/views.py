"""A document as XML for a model: the outline, and everything in full.

The form is that of DocDancer's preprocessing: nested `Section` elements with `section_id`,
`start_page_num` and `end_page_num`; in them `Heading`, `Title`, `Paragraph` (with `page_num`),
`Image` (`image_id`) and `HTML_Table` (`table_id`), with `Caption` and `Alt_Text`. The outline has
`first_sentence` in place of a paragraph's text and `first_sentence_of_image_description` in place
of a description. Ours: a `Footnote` has its `label`; lists, code and formulas are paragraphs; the
cells of a table are markup, not escaped text; formats without pages have no page numbers; and
consecutive paragraphs are merged within a page only, or their page number would be wrong.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    DocumentTitle,
    Element,
    Figure,
    Footnote,
    Heading,
    Section,
    Table,
)

# After this page an outline has no paragraphs and tables no text: DocDancer's preprocessing.
OUTLINE_PAGES = 100
MAX_FIRST_SENTENCE = 400  # ours: text without a full stop would make the outline as long as itself
# XML 1.0 has no control characters but tab and line ends, and not the last two of the plane.
_ILLEGAL = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ufffe\\uffff]")


def outline_xml(document: Document, descriptions: Mapping[int, str] | None = None) -> str:
    """The sections with their headings, first sentences, captions and tables.

    `descriptions` are those of figures by their number, as a vision model gives them; without one,
    the author's own (`alt`) is taken.
    """
    return "\n".join(_Outline(document, descriptions or {}).document("Outline"))


def full_xml(
    document: Document,
    section: Section | None = None,
    descriptions: Mapping[int, str] | None = None,
) -> str:
    """Everything in a document, or in one of its sections with those within it."""
    view = _Full(document, descriptions or {})
    return "\n".join(view.document("Document") if section is None else view.section(section))


class _Full:
    """Writes elements with their whole text."""

    def __init__(self, document: Document, descriptions: Mapping[int, str]) -> None:
        self._document = document
        self._descriptions = descriptions
        self._sections = {section.id: section for section in document.sections}

    def document(self, root: str) -> Iterator[str]:
        yield f"<{root}>"
        yield from self._nested(self._document.elements)
        yield f"</{root}>"

    def section(self, section: Section) -> Iterator[str]:
        return self._nested(self._document.elements_in(section))

    def _nested(self, elements: Iterable[Element]) -> Iterator[str]:
        """Elements between the tags of the sections that they open."""
        enclosing: list[Section] = []
        merged: list[Element] = []  # consecutive paragraphs of one page
        for element in elements:
            plain = not isinstance(element, DocumentTitle | Heading | Figure | Footnote | Table)
            if merged and not (plain and element.page == merged[0].page):
                yield from self._paragraph(merged)
                merged = []
            if isinstance(element, Heading) or not enclosing:
                section = self._opened_by(element)
                while enclosing and enclosing[-1].depth >= section.depth:
                    enclosing.pop()
                    yield "</Section>"
                enclosing.append(section)
                yield _tag("Section", section_id=section.id, **_pages(section))
            if plain:
                merged.append(element)
            else:
                yield from self._element(element)
        if merged:
            yield from self._paragraph(merged)
        yield from ("</Section>" for _ in enclosing)

    def _opened_by(self, element: Element) -> Section:
        if isinstance(element, Heading):
            return self._sections[element.section]
        return self._document.sections[0]

    def _element(self, element: Element) -> Iterator[str]:
        page = {} if element.page is None else {"page_num": element.page}
        if isinstance(element, Table):
            yield _tag("HTML_Table", table_id=element.number, **page)
            yield from self._cells(element)
            yield from _leaf("Caption", element.caption)
            yield "</HTML_Table>"
        elif isinstance(element, Figure):
            yield _tag("Image", image_id=element.number, **page)
            yield from self._description(self._descriptions.get(element.number, element.alt))
            yield from _leaf("Caption", element.caption)
            yield "</Image>"
        elif isinstance(element, Footnote):
            yield from _leaf("Footnote", self._line(element), label=element.label, **page)
        elif isinstance(element, Heading):
            yield from _leaf("Heading", self._line(element))
        else:
            yield from _leaf("Title", self._line(element))

    def _cells(self, table: Table) -> Iterator[str]:
        yield _legal(table.html)

    def _description(self, description: str) -> Iterator[str]:
        yield from _leaf("Alt_Text", description)

    def _paragraph(self, merged: Sequence[Element]) -> Iterator[str]:
        text = "\n".join(self._document.text_of(element) for element in merged)
        page = {} if merged[0].page is None else {"page_num": merged[0].page}
        yield from _leaf("Paragraph", text, **page)

    def _line(self, element: Element) -> str:
        return " ".join(self._document.text_of(element).split())


class _Outline(_Full):
    """Writes first sentences in place of texts, and less after `OUTLINE_PAGES`."""

    def _cells(self, table: Table) -> Iterator[str]:
        return iter(()) if (table.page or 0) > OUTLINE_PAGES else super()._cells(table)

    def _description(self, description: str) -> Iterator[str]:
        if description:
            sentence = _first_sentence(description)
            yield _empty("Alt_Text", first_sentence_of_image_description=sentence)

    def _paragraph(self, merged: Sequence[Element]) -> Iterator[str]:
        page = merged[0].page
        if (page or 0) <= OUTLINE_PAGES:
            sentence = _first_sentence(self._line(merged[0]))
            number = {} if page is None else {"page_num": page}
            yield _empty("Paragraph", **number, first_sentence=sentence)


def _first_sentence(text: str) -> str:
    """The text up to the first full stop before a space, as DocDancer's preprocessing cuts it."""
    return " ".join(text.split()).split(". ")[0][:MAX_FIRST_SENTENCE]


def _pages(section: Section) -> dict[str, int]:
    if section.page is None:
        return {}
    return {"start_page_num": section.page, "end_page_num": section.end_page or section.page}


def _tag(name: str, **attributes: str | int) -> str:
    shown = "".join(f' {key}="{escape(_legal(str(of)))}"' for key, of in attributes.items())
    return f"<{name}{shown}>"


def _empty(name: str, **attributes: str | int) -> str:
    return f"{_tag(name, **attributes)[:-1]}/>"


def _leaf(name: str, text: str, **attributes: str | int) -> Iterator[str]:
    if text:
        yield f"{_tag(name, **attributes)}{escape(_legal(text), quote=False)}</{name}>"


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\ufffd", text)
