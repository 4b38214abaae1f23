"""A small document tree made by hand: four pages with tables, a figure, a footnote, sentences."""

from typing import TypedDict

from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import (
    BoundingBox,
    Cell,
    Figure,
    Footnote,
    Page,
    Paragraph,
    Table,
)
from synthmill.sources.documents.structure import StructureBuilder

LENGTHS = [["River", "Length (km)", "Depth (m)"], ["Osk", "80", "7"], ["Velm", "64", "9"]]
LENGTHS.append(["Tarn", "23", "4"])
GAUGES = [["River", "Gauges"], ["Osk", "12"], ["Velm", "5"], ["Ilde", "8"]]


class Span(TypedDict):
    start: int
    end: int
    page: int


class TreeWriter:
    """Builds a document element by element."""

    def __init__(self) -> None:
        self.text = ""
        self.tree = StructureBuilder()
        self.number = 1
        self.starts = [0]

    def span(self, text: str) -> Span:
        self.text += "\n\n" if self.text else ""
        start = len(self.text)
        self.text += text
        return {"start": start, "end": len(self.text), "page": self.number}

    def page(self) -> None:
        self.text += "\f"
        self.number += 1
        self.starts.append(len(self.text))

    def heading(self, text: str, level: int = 1) -> None:
        at = self.span(text)
        self.tree.add_heading(at["start"], at["end"], level, self.number)

    def paragraph(self, text: str) -> None:
        self.tree.add(Paragraph(**self.span(text)))

    def table(self, caption: str, rows: list[list[str]]) -> None:
        cells = tuple(
            Cell(value, at, column, header=at == 0)
            for at, row in enumerate(rows)
            for column, value in enumerate(row)
        )
        text = "\n".join([caption, *(" ".join(row) for row in rows)])
        box = BoundingBox(10, 10, 200, 100)
        self.tree.add(Table(**self.span(text), cells=cells, caption=caption, box=box))

    def figure(self, caption: str) -> None:
        box = BoundingBox(10, 200, 200, 300)
        self.tree.add(Figure(**self.span(caption), caption=caption, box=box))

    def footnote(self, text: str, label: str) -> None:
        self.tree.add(Footnote(**self.span(text), label=label))

    def document(self) -> Document:
        ends = [*(start - 1 for start in self.starts[1:]), len(self.text)]
        pages = [
            Page(n, 600, 800, start, end)
            for n, (start, end) in enumerate(zip(self.starts, ends, strict=True), 1)
        ]
        return Document(
            "k", "report.pdf", "T", self.text, pages=pages, structure=self.tree.elements()
        )


def report() -> Document:
    """Lengths on page 2, gauges on page 3, a figure on page 4."""
    out = TreeWriter()
    out.heading("Rivers")
    out.paragraph("This report is about rivers. Osk is the only river that freezes every winter.")
    out.page()
    out.heading("Lengths")
    out.table("Table 1: Lengths of rivers", LENGTHS)
    out.footnote("* Measured at the old weir.", "*")
    out.page()
    out.heading("Network", 2)
    out.table("Table 2: Gauges at rivers", GAUGES)
    out.page()
    out.heading("Views")
    out.figure("Figure 1: Velm seen from the northern bank")
    out.paragraph("The river Velm is wide. " * 40 + "Here the Osk ends. " + "It is quiet. " * 60)
    return out.document()
