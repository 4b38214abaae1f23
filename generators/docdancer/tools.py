"""The two tools of DocDancer, for exploring and for answering: `search` and `read`.

Behavior follows the released code: search finds substrings in document order, without ranking;
read has a model read each section with a goal and shows what it found, not the section itself.
"""

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from typing import ClassVar, NamedTuple

from pydantic import BaseModel, Field

from synthmill.generators.agent.tools import Observation, Tool, Toolbox, tool_schemas
from synthmill.generators.docdancer.prompts import ReadSection
from synthmill.generators.docdancer.task import DocumentTask
from synthmill.models.errors import ConfigurationError, RequestRejected
from synthmill.schemas.messages import ImagePart
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    BoundingBox,
    Element,
    Figure,
    Footnote,
    Heading,
    Section,
    Table,
)
from synthmill.sources.documents.pictures import PICTURE_LIMITS, crop_png, page_png
from synthmill.sources.documents.prompt_documents import (
    PromptDocument,
    PromptDocuments,
    neutralize_markup,
)
from synthmill.sources.documents.views import full_xml
from synthmill.sources.reading.files import Unreadable

SEPARATOR = "=" * 40  # between the blocks of keywords
GAP = " ... "  # between the windows of a snippet
CUT = "\n[cut]"


class KeywordArguments(BaseModel):
    """Arguments of a search."""

    keywords: list[str] = Field(
        min_length=1, max_length=50, description="each is looked for by itself, as a substring"
    )


class ReadArguments(BaseModel):
    """Arguments of a reading."""

    section_ids: list[str] = Field(
        min_length=1, max_length=50, description='ids of sections, as "2.1"'
    )
    goal: str = Field(description="what to find in them", max_length=2000)


class FoundElement(NamedTuple):
    """An element that contains a keyword, with what is shown of it."""

    kind: str
    section: str
    page: int | None
    number: int | None
    shown: str


class Visual(NamedTuple):
    """A picture of a section: a page, or the box of a figure or table on it."""

    kind: str
    page: int
    box: BoundingBox | None


class SearchDocument(Tool):
    """Finds keywords anywhere in the document."""

    name: ClassVar[str] = "search"
    description: ClassVar[str] = (
        "Find keywords in the document: headings, paragraphs, tables, captions, footnotes. Each "
        "match comes with its section id and page, in document order."
    )
    Arguments: ClassVar[type[BaseModel]] = KeywordArguments

    def __init__(self, task: DocumentTask) -> None:
        self._document = task.document
        self._settings = task.settings.tools

    async def run(self, arguments: KeywordArguments) -> Observation:
        """A block for each keyword; `detail` lists the pages of the items shown."""
        blocks: list[str] = []
        shown: list[FoundElement] = []
        for keyword in arguments.keywords[: self._settings.max_keywords]:
            hits = search(self._document, keyword, self._settings.window)
            shown += hits[: self._settings.results]
            blocks.append("\n".join(_block(keyword, hits, self._settings.results)))
        text = cut(f"\n{SEPARATOR}\n".join(blocks), self._settings.observation_chars)
        places = [hit.page or hit.section for hit in shown if hit.shown in text]
        return Observation(text=text, detail=json.dumps({"places": list(dict.fromkeys(places))}))


class ReadSections(Tool):
    """Has the reader look at sections with a goal."""

    name: ClassVar[str] = "read"
    description: ClassVar[str] = (
        "Read sections of the document, with those within them, with a goal. A reader reports the "
        "evidence that bears on the goal, and a summary."
    )
    Arguments: ClassVar[type[BaseModel]] = ReadArguments

    def __init__(self, task: DocumentTask) -> None:
        self._task = task
        self._settings = task.settings.tools
        self._sections = {section.id: section for section in task.document.sections}
        self._calls = 0

    async def run(self, arguments: ReadArguments) -> Observation:
        """What the reader found in each section; `detail` lists the pages read."""
        wanted = list(dict.fromkeys(arguments.section_ids))[: self._settings.max_sections]
        unknown = [name for name in wanted if name not in self._sections]
        if unknown:
            known = ", ".join(self._sections)
            text = f"Error: there is no section {', '.join(unknown)}; sections: {known}"
            return Observation(text=cut(text, self._settings.observation_chars), failed=True)
        self._calls += 1
        share = self._settings.observation_chars // len(wanted)
        reports, places = [], list[int | str]()
        for name in wanted:
            section = self._sections[name]
            reports.append(cut(await self._read(section, arguments.goal), share))
            places += places_of(section)
        detail = {"places": list(dict.fromkeys(places))}
        return Observation(text="\n\n".join(reports), detail=json.dumps(detail))

    async def _read(self, section: Section, goal: str) -> str:
        document, settings = self._task.document, self._settings
        xml = full_xml(document, section)[: settings.section_chars]
        images = await self._images(section) if settings.vision else []
        prompt = ReadSection(
            section=section.id,
            goal=neutralize_markup(goal),
            content=PromptDocuments(documents=(PromptDocument(section.title, xml),)),
            images=tuple(images),
        )
        seen = f"text and {len(images)} images" if images else "text alone"
        head = f"Section {section.id} ({seen}), goal: {goal}"
        try:
            reply = await self._task.context.generate(
                prompt,
                purpose=f"read/{self._calls}/{section.id}",
                role="reader",
                sampling=settings.sampling,
            )
        except ConfigurationError:
            raise
        except RequestRejected as error:
            return f"{head}\nThe section could not be read: {error}"
        if reply.value is None:
            return f"{head}\nThe reader gave no usable report: {reply.malformed}"
        return f"{head}\nEvidence: {reply.value.evidence}\nSummary: {reply.value.summary}"

    async def _images(self, section: Section) -> list[ImagePart]:
        """The pictures of a section; what cannot be rendered is left out."""
        original, images = self._task.document.original, list[ImagePart]()
        if original is None:
            return []
        for one in visuals(self._task.document, section, self._settings.max_images):
            try:
                png = await (
                    self._task.context.run_in_worker(
                        page_png, original, one.page, limits=PICTURE_LIMITS
                    )
                    if one.box is None
                    else self._task.context.run_in_worker(
                        crop_png, original, one.page, one.box, limits=PICTURE_LIMITS
                    )
                )
            except Unreadable:
                continue
            url = f"data:image/png;base64,{b64encode(png).decode()}"
            images.append(ImagePart(path=url, mime="image/png"))
        return images


TOOLS = tool_schemas([SearchDocument, ReadSections])


def toolbox(task: DocumentTask) -> Toolbox:
    """The tools of one exploration or rollout."""
    return Toolbox([SearchDocument(task), ReadSections(task)])


def search(document: Document, keyword: str, window: int) -> list[FoundElement]:
    """The elements that contain a keyword as a substring, whatever its case, in document order."""
    wanted = keyword.casefold().strip()
    if not wanted:
        return []
    hits = []
    for element, section in in_sections(document):
        text = " ".join(searched_text(document, element).split())
        if wanted in text.casefold():
            hits.append(_hit(element, section, text, wanted, window))
    return hits


def in_sections(document: Document) -> Iterator[tuple[Element, str]]:
    """The elements, each with the id of its innermost section."""
    section = document.sections[0].id if document.sections else "1"
    for element in document.elements:
        if isinstance(element, Heading):
            section = element.section
        yield element, section


def searched_text(document: Document, element: Element) -> str:
    """The text of an element in which keywords are looked for."""
    text = document.text_of(element)
    if isinstance(element, Table | Figure):
        parts = [element.caption, text, element.alt if isinstance(element, Figure) else ""]
        if isinstance(element, Table):
            parts += [cell.text for cell in element.cells]
        return " ".join(parts)
    return text


def places_of(section: Section) -> list[int | str]:
    """The pages of a section; its id in formats without pages."""
    if section.page is None:
        return [section.id]
    return list(range(section.page, (section.end_page or section.page) + 1))


def visuals(document: Document, section: Section, most: int) -> list[Visual]:
    """The pictures of a section: its pages, figures and tables.

    Where there are more than `most`, the pages are dropped, then the tables, then figures beyond
    `most` (released code).
    """
    elements = document.elements_in(section)
    pages = [
        Visual("page", page, None) for page in places_of(section) if isinstance(page, int) and page
    ]
    figures = [
        Visual("figure", e.page, e.box)
        for e in elements
        if isinstance(e, Figure) and e.page and e.box
    ]
    tables = [
        Visual("table", e.page, e.box)
        for e in elements
        if isinstance(e, Table) and e.page and e.box
    ]
    for shown in ([*pages, *figures, *tables], [*figures, *tables]):
        if len(shown) <= most:
            return shown
    return figures[:most]


def snippet(text: str, wanted: str, window: int) -> str:
    """The text around each match: half a window on either side, extended to white space.

    Overlapping windows are merged.
    """
    spans: list[list[int]] = []
    lowered, at = text.casefold(), 0
    if len(lowered) != len(text):  # letters whose lower case is longer: places would not agree
        lowered = text.lower() if len(text.lower()) == len(text) else text
    while (at := lowered.find(wanted, at)) >= 0:
        start, end = max(0, at - window // 2), min(len(text), at + len(wanted) + window // 2)
        while start > 0 and not text[start - 1].isspace():
            start -= 1
        while end < len(text) and not text[end].isspace():
            end += 1
        if spans and start <= spans[-1][1]:
            spans[-1][1] = max(end, spans[-1][1])
        else:
            spans.append([start, end])
        at += len(wanted)
    return GAP.join(text[start:end].strip() for start, end in spans) or text[:window]


def cut(text: str, chars: int) -> str:
    """The text within a number of characters, marked where it is cut."""
    return text if len(text) <= chars else text[: chars - len(CUT)] + CUT


def _hit(element: Element, section: str, text: str, wanted: str, window: int) -> FoundElement:
    page = element.page
    if isinstance(element, Heading):
        return FoundElement("Section", section, page, None, escape(text, quote=False))
    if isinstance(element, Table):
        caption = f"<Caption>{escape(element.caption, quote=False)}</Caption>"
        shown = element.html + (caption if element.caption else "")
        return FoundElement("HTML_Table", section, page, element.number, shown)
    if isinstance(element, Figure):
        caption = f"<Caption>{escape(element.caption, quote=False)}</Caption>"
        alt = f"<Alt_Text>{escape(element.alt, quote=False)}</Alt_Text>" if element.alt else ""
        return FoundElement("Image", section, page, element.number, alt + caption)
    kind = "Footnote" if isinstance(element, Footnote) else "Paragraph"
    found = escape(snippet(text, wanted, window), quote=False)
    return FoundElement(kind, section, page, None, found)


def _block(keyword: str, hits: Sequence[FoundElement], most: int) -> Iterator[str]:
    if not hits:
        yield f"Keyword {keyword!r}: no match in the document."
        return
    more = f", the first {most} are shown" if len(hits) > most else ""
    yield f"Keyword {keyword!r}: {len(hits)} matches{more}"
    for hit in hits[:most]:
        number = {"HTML_Table": "table_id", "Image": "image_id"}.get(hit.kind)
        attributes = f'type="{hit.kind}" section_id="{hit.section}"'
        attributes += f' page_num="{hit.page}"' if hit.page is not None else ""
        attributes += f' {number}="{hit.number}"' if number else ""
        yield f"<Item {attributes}>{hit.shown}</Item>"
