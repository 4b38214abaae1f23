"""Where evidence stands: parts that a model names, found in the document's tree."""

import re
from bisect import bisect_right
from collections.abc import Sequence

from synthmill.generators.docdancer.prompts import EvidenceItem
from synthmill.generators.docdancer.records import EvidencePlace, EvidenceSheet
from synthmill.generators.docdancer.tables import data_table
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import Element, Figure, Footnote, Section, Table
from synthmill.sources.documents.prompt_documents import neutralize_markup
from synthmill.sources.documents.views import full_xml

MAX_SHEET_CHARS = 20_000  # ours: of a page that a reader is shown


def locate(document: Document, item: EvidenceItem) -> EvidencePlace | None:
    """The place of a part of the evidence; None where the document does not hold it there."""
    if item.table is not None:
        return _cell(document, item)
    if item.figure is not None:
        return _figure(document, item)
    span = find_quote(item.quote, document.text)
    if span is None:
        return None
    element = element_at(document, span[0])
    page = element.page if element else None
    if page is None and (found := document.page_at(span[0])):
        page = found.number
    modality = item.modality if item.modality in ("footnote", "layout") else "text"
    if modality == "footnote" and not isinstance(element, Footnote):
        modality = "text"
    return EvidencePlace(
        modality=modality,
        page=page,
        section=_section(document, span[0]),
        start=span[0],
        end=span[1],
        quote=document.text[slice(*span)],
    )


def find_quote(
    quote: str, text: str, start: int = 0, end: int | None = None
) -> tuple[int, int] | None:
    """Start and end of a quote, whatever white space is between its words, or None.

    Both are compared as prompts show them, which changes no offset.
    """
    words = neutralize_markup(quote).split()
    if not words:
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, words)))
    found = pattern.search(neutralize_markup(text), start, len(text) if end is None else end)
    return found.span() if found else None


def element_at(document: Document, offset: int) -> Element | None:
    """The element that holds an offset of the text."""
    at = bisect_right(document.elements, offset, key=lambda element: element.start) - 1
    if at < 0:
        return None
    element = document.elements[at]
    return element if offset < max(element.end, element.start + 1) else None


def element_place(document: Document, element: Element, section: str) -> EvidencePlace:
    """A whole element as a place."""
    modality = "table" if isinstance(element, Table) else "text"
    modality = "figure" if isinstance(element, Figure) else modality
    return EvidencePlace(
        modality="footnote" if isinstance(element, Footnote) else modality,
        page=element.page,
        section=section,
        start=element.start,
        end=element.end,
        quote=document.text_of(element),
        table=element.number if isinstance(element, Table) else None,
        figure=element.number if isinstance(element, Figure) else None,
    )


def sheets_of(document: Document, places: Sequence[EvidencePlace]) -> list[EvidenceSheet]:
    """The pages (sections, without pages) that places stand on, as XML, in order."""
    keys = sorted({(p.page or 0, "" if p.page else p.section) for p in places})
    return [_sheet(document, page or None, section) for page, section in keys]


def _sheet(document: Document, page: int | None, section: str) -> EvidenceSheet:
    if page is None:
        of_id = {one.id: one for one in document.sections}
        xml = full_xml(document, of_id[section]) if section in of_id else ""
    else:
        xml = _page_xml(document, page)
    return EvidenceSheet(page=page, section=section, xml=xml[:MAX_SHEET_CHARS])


def _page_xml(document: Document, number: int) -> str:
    """The elements of a page as XML, under the section in which the page begins."""
    elements = [element for element in document.elements if element.page == number]
    if not elements:
        return ""
    section = Section("1", "", elements[0].start, elements[-1].end + 1, number, number)
    return full_xml(document, section)


def _cell(document: Document, item: EvidenceItem) -> EvidencePlace | None:
    table = next((t for t in document.tables if t.number == item.table), None)
    data = data_table(table, document) if table is not None else None
    if table is None or data is None:
        return None
    value = data.value(item.row, item.column)
    if value is None or value.split() != item.quote.split():
        return None
    start, end = _row_span(document, table, item.row, value)
    return EvidencePlace(
        modality="table",
        page=table.page,
        section=_section(document, table.start),
        start=start,
        end=end,
        quote=document.text[start:end],
        value=value,
        table=table.number,
        row=item.row,
        column=item.column,
    )


def _row_span(document: Document, table: Table, row: str, value: str) -> tuple[int, int]:
    """From the label of a row to the cell's text behind it; the whole table if not found."""
    label = find_quote(row, document.text, table.start, table.end)
    if label is not None:
        cell = find_quote(value, document.text, label[1], table.end)
        if cell is not None:
            return label[0], cell[1]
    return table.start, table.end


def _figure(document: Document, item: EvidenceItem) -> EvidencePlace | None:
    figure = next((f for f in document.figures if f.number == item.figure), None)
    if figure is None:
        return None
    words = f"{figure.caption}\n{figure.alt}\n{document.text_of(figure)}"
    if find_quote(item.quote, words) is None:
        return None
    span = find_quote(item.quote, document.text, figure.start, figure.end)
    start, end = span or (figure.start, figure.end)
    return EvidencePlace(
        modality="figure",
        page=figure.page,
        section=_section(document, figure.start),
        start=start,
        end=end,
        quote=document.text[start:end],
        figure=figure.number,
    )


def _section(document: Document, offset: int) -> str:
    found = document.section_at(offset)
    return found.id if found else "1"
