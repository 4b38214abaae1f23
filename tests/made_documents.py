"""PDF reports made for tests, together with the truth: what stands in them, where, in which order.

`made_report` sets headings, paragraphs, lists, tables, charts and footnotes in one or two columns;
`scanned` turns a report into page images with noise. Everything follows from the seed.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

MadeKind = Literal[
    "title", "heading", "paragraph", "list", "table", "figure", "footnote"
]  # of the elements of a document's tree

VOCABULARY = (
    "the river basin annual survey measured flow level station gauge water samples network region "
    "council reported increase decrease average total maximum minimum season winter summer bridge "
    "valley northern southern eastern western district budget maintenance repair inspection rose "
    "monitoring program result table method estimate compared previous change remained stable fell "
    "sharply because although while during after before between across sites teams equipment data"
)
NAMES = ["Osk", "Velm", "Tarn", "Ilde", "Brax", "Quorn", "Sive", "Moltke", "Ruhn", "Dray"]
UNITS = ["m3/s", "km", "mg/l", "days", "EUR"]


@dataclass(frozen=True)
class MadeCell:
    """A cell of a made table, as `elements.Cell`."""

    text: str
    row: int
    column: int
    row_span: int = 1
    column_span: int = 1
    header: bool = False


@dataclass
class MadeElement:
    """An element of a made document; `page` from 1, set when the document is laid out."""

    kind: MadeKind
    text: str
    page: int = 0
    level: int = 0
    cells: tuple[MadeCell, ...] = ()
    items: tuple[str, ...] = ()
    caption: str = ""
    label: str = ""


@dataclass
class MadeDocument:
    """A PDF and its elements in reading order; footnotes stand at the end of their page."""

    pdf: bytes
    title: str
    pages: int
    elements: list[MadeElement] = field(default_factory=list)

    def of_kind(self, kind: MadeKind) -> list[MadeElement]:
        """The elements of one kind in order."""
        return [element for element in self.elements if element.kind == kind]


def made_report(seed: int = 1, columns: int = 1, sections: int = 4) -> MadeDocument:
    """A report with everything in it; tables are ruled, open (rules above and below) and bare."""
    rng = Random(seed)
    blocks = list(_blocks(rng, sections))
    return _laid_out(blocks, columns, f"Survey report {seed}")


def scanned(
    made: MadeDocument, seed: int = 1, noise: float = 12.0, degrees: float = 0.4, dpi: int = 200
) -> bytes:
    """The pages of a made document as a PDF of gray images: noisy, and turned a little."""
    import numpy as np
    import pypdfium2
    from PIL import Image

    rng = np.random.default_rng(seed)
    images = []
    for page in pypdfium2.PdfDocument(made.pdf):
        image = page.render(scale=dpi / 72).to_pil().convert("L")
        image = image.rotate(degrees, fillcolor=255, resample=Image.Resampling.BICUBIC)
        pixels = np.asarray(image, dtype=np.float32) + rng.normal(0, noise, image.size[::-1])
        images.append(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)))
    out = io.BytesIO()
    images[0].save(out, "PDF", save_all=True, append_images=images[1:], resolution=dpi)
    return out.getvalue()


def _sentence(rng: Random) -> str:
    words = rng.choices(VOCABULARY.split(), k=rng.randint(8, 16))
    words[rng.randrange(2, 7)] = rng.choice(NAMES)
    return f"{words[0].capitalize()} {' '.join(words[1:])}."


def _text(rng: Random, least: int, most: int) -> str:
    return " ".join(_sentence(rng) for _ in range(rng.randint(least, most)))


def _blocks(rng: Random, sections: int) -> Iterator[MadeElement]:
    tables = figures = 0
    yield MadeElement("title", f"Rivers of the {rng.choice(NAMES)} basin")
    for number in range(1, sections + 1):
        yield MadeElement("heading", f"{number} Survey of the {rng.choice(NAMES)}", level=1)
        yield _noted(rng, str(number))
        for part in (1, 2):
            name = (
                f"{number}.{part} {rng.choice(['Flow', 'Quality', 'Costs'])} at {rng.choice(NAMES)}"
            )
            yield MadeElement("heading", name, level=2)
            yield MadeElement("paragraph", _text(rng, 3, 6))
            if part == 1:
                items = tuple(_sentence(rng) for _ in range(3))
                yield MadeElement("list", "", items=items)
                tables += 1
                yield _table(rng, tables, ("ruled", "open", "bare")[number % 3])
            else:
                figures += 1
                caption = f"Figure {figures}: Flow of the {rng.choice(NAMES)} by year."
                yield MadeElement("figure", "", caption=caption)
            yield MadeElement("paragraph", _text(rng, 2, 4))


def _noted(rng: Random, label: str) -> MadeElement:
    """A paragraph with a footnote; the note is kept in `caption` until it is laid out."""
    note = f"Values of {rng.choice(NAMES)} exclude the year {rng.randint(1990, 2020)}."
    return MadeElement("paragraph", _text(rng, 3, 5), label=label, caption=note)


def _table(rng: Random, number: int, style: str) -> MadeElement:
    columns = rng.sample(NAMES, 3)
    rows = rng.sample(range(1990, 2025), rng.randint(4, 6))
    cells: list[MadeCell] = []
    first = 0
    if style == "ruled":
        unit = f"Value in {rng.choice(UNITS)}"
        cells += [MadeCell("Year", 0, 0, 2, 1, True), MadeCell(unit, 0, 1, 1, 3, True)]
        cells += [MadeCell(name, 1, at, header=True) for at, name in enumerate(columns, 1)]
        first = 2
    else:
        cells += [MadeCell(name, 0, at, header=True) for at, name in enumerate(["Year", *columns])]
        first = 1
    for row, year in enumerate(sorted(rows), first):
        cells.append(MadeCell(str(year), row, 0))
        cells += [
            MadeCell(f"{rng.uniform(1, 999):.1f}", row, at) for at in range(1, len(columns) + 1)
        ]
    caption = f"Table {number}: Measured values of {rng.choice(NAMES)}."
    return MadeElement("table", style, cells=tuple(cells), caption=caption)


def _laid_out(blocks: Sequence[MadeElement], columns: int, name: str) -> MadeDocument:
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

    width, height = A4
    margin, gutter, foot = 56.0, 20.0, 96.0
    column = (width - 2 * margin - (columns - 1) * gutter) / columns
    frames = [
        Frame(margin + at * (column + gutter), foot, column, height - foot - 70, 0, 0, 0, 0)
        for at in range(columns)
    ]
    order: list[MadeElement] = []
    notes: dict[int, list[MadeElement]] = {}

    class Template(BaseDocTemplate):
        def afterFlowable(self, flowable: Any) -> None:
            made = getattr(flowable, "made", None)
            if made is not None and made not in order:
                made.page = self.page
                order.append(made)
                note = getattr(flowable, "note", None)
                if note is not None:
                    note.page = self.page
                    notes.setdefault(self.page, []).append(note)

    def furniture(canvas: Any, document: Any) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(margin, height - 40, f"{name}: the yearly survey")
        canvas.drawCentredString(width / 2, 24, f"Page {document.page}")
        canvas.line(margin, height - 46, width - margin, height - 46)

    def foot_notes(canvas: Any, document: Any) -> None:
        y = foot - 22
        for note in notes.get(document.page, ()):
            canvas.setFont("Times-Roman", 5)
            canvas.drawString(margin, y + 3, note.label)
            canvas.setFont("Times-Roman", 8)
            canvas.drawString(margin + 4, y, note.text)
            y -= 10

    out = io.BytesIO()
    template = Template(out, pagesize=A4, title=name, invariant=1)
    template.addPageTemplates([PageTemplate(frames=frames, onPage=furniture, onPageEnd=foot_notes)])
    template.build([flowable for block in blocks for flowable in _flowables(block, column)])
    elements: list[MadeElement] = []
    for page in range(1, template.page + 1):
        elements += [element for element in order if element.page == page]
        elements += notes.get(page, [])
    return MadeDocument(out.getvalue(), name, template.page, elements)


def _flowables(block: MadeElement, width: float) -> Iterator[Any]:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import KeepTogether, Paragraph, Spacer

    body = ParagraphStyle(
        "body", fontName="Times-Roman", fontSize=10, leading=12.5, spaceAfter=7, allowSplitting=0
    )
    sizes = {"title": 20, 1: 14.5, 2: 12}
    flowable: Any
    if block.kind == "paragraph":
        text = block.text
        if block.label:
            place = text.index(". ") + 1
            note = MadeElement("footnote", block.caption, label=block.label)
            shown = f"{text[:place]}<super size=6>{block.label}</super>{text[place:]}"
            block.text = f"{text[:place]}{block.label}{text[place:]}"
            block.caption = ""
            flowable = Paragraph(shown, body)
            flowable.note = note
        else:
            flowable = Paragraph(text, body)
        flowable.splitWidows = flowable.split = lambda *_: []  # a paragraph stays whole
    elif block.kind in ("title", "heading"):
        size = sizes[block.level or "title"]
        style = ParagraphStyle(
            "h",
            fontName="Helvetica-Bold",
            fontSize=size,
            leading=1.2 * size,
            spaceBefore=10,
            spaceAfter=6,
            keepWithNext=1,
        )
        flowable = Paragraph(block.text, style)
    elif block.kind == "list":
        style = ParagraphStyle("item", parent=body, leftIndent=14, bulletIndent=2, spaceAfter=2)
        for at, item in enumerate(block.items):
            flowable = Paragraph(item, style, bulletText="•")
            flowable.split = lambda *_: []
            flowable.keepWithNext = at + 1 < len(block.items)
            if at + 1 == len(block.items):
                flowable.made = block
            yield flowable
        yield Spacer(1, 6)
        return
    else:
        drawn = _drawn_table(block) if block.kind == "table" else _chart(block, width)
        caption = Paragraph(block.caption, ParagraphStyle("c", parent=body, fontSize=9))
        parts = [caption, drawn] if block.kind == "table" else [drawn, caption]
        parts[-1].made = block
        yield KeepTogether([*parts, Spacer(1, 8)])
        return
    flowable.made = block
    yield flowable


def _drawn_table(block: MadeElement) -> Any:
    from reportlab.lib import colors
    from reportlab.platypus import Table

    rows = max(cell.row + cell.row_span for cell in block.cells)
    columns = max(cell.column + cell.column_span for cell in block.cells)
    grid = [["" for _ in range(columns)] for _ in range(rows)]
    style: list[Any] = [
        ("FONT", (0, 0), (-1, -1), "Helvetica", 8.5),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
    ]
    for cell in block.cells:
        grid[cell.row][cell.column] = cell.text
        end = cell.column + cell.column_span - 1, cell.row + cell.row_span - 1
        if cell.header:
            style.append(("FONT", (cell.column, cell.row), end, "Helvetica-Bold", 8.5))
        if cell.row_span > 1 or cell.column_span > 1:
            style.append(("SPAN", (cell.column, cell.row), end))
    if block.text == "ruled":
        style.append(("GRID", (0, 0), (-1, -1), 0.5, colors.black))
    elif block.text == "open":
        style += [
            ("LINEABOVE", (0, 0), (-1, 0), 1, colors.black),
            ("LINEBELOW", (0, 0), (-1, 0), 0.5, colors.black),
            ("LINEBELOW", (0, -1), (-1, -1), 1, colors.black),
        ]
    return Table(grid, colWidths=[52] * columns, style=style, hAlign="CENTER")


def _chart(block: MadeElement, width: float) -> Any:
    from reportlab.graphics.charts.barcharts import VerticalBarChart
    from reportlab.graphics.shapes import Drawing

    rng = Random(block.caption)
    drawing = Drawing(width, 120, hAlign="CENTER")
    chart = VerticalBarChart()
    chart.x, chart.y, chart.width, chart.height = 40, 20, min(width - 60, 220), 90
    years = [str(year) for year in range(2018, 2023)]
    chart.data = [[rng.randint(5, 95) for _ in years]]
    chart.categoryAxis.categoryNames = years
    chart.valueAxis.valueMin, chart.valueAxis.valueMax = 0, 100
    drawing.add(chart)
    return drawing
