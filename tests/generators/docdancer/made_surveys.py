"""PDF surveys made for tests, with the truth about everything in them: tables, remarks, captions.

The text of a survey is on pages of its own, so that what belongs together is on different pages.
Everything follows from the seed.
"""

import io
from dataclasses import dataclass, field
from random import Random
from typing import Any

DOMAINS = (
    ("River", "rivers", ("Length (km)", "Basin area (km2)", "Gauges"), "basin"),
    ("Depot", "depots", ("Staff", "Floor space (m2)", "Vehicles"), "network"),
    ("Harbour", "harbours", ("Berths", "Quay length (m)", "Cranes"), "coast"),
    ("Clinic", "clinics", ("Beds", "Nurses", "Wards"), "county"),
)
NAMES = [
    "Osk",
    "Velm",
    "Tarn",
    "Ilde",
    "Brax",
    "Quorn",
    "Sive",
    "Moltke",
    "Ruhn",
    "Dray",
    "Fenwick",
]
TRAITS = (
    "the only one that was rebuilt after the war",
    "the oldest one in the whole region",
    "a site of national importance for research",
    "the first one to be run by a trust",
)
REMARKS = (
    "Closed for repairs during most of the year.",
    "Restated after the audit of the previous year.",
    "Estimated from the records of neighbouring sites.",
)
VIEWS = (
    "seen from the northern bank at dawn",
    "during the great storm of autumn",
    "after its new roof",
)
LIMIT = "target"


@dataclass
class Survey:
    """A PDF and its truth: values by (column, year, name), None for what it does not give.

    `pages` says where each table is; `described`, `remarked` and `pictured` map a clue to a name.
    """

    pdf: bytes
    noun: str
    values: dict[tuple[str, int], dict[str, str]] = field(default_factory=dict)
    order: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    pages: dict[tuple[str, int], int] = field(default_factory=dict)
    described: dict[str, str] = field(default_factory=dict)
    remarked: dict[str, str] = field(default_factory=dict)
    pictured: dict[str, str] = field(default_factory=dict)
    stated: dict[str, str] = field(default_factory=dict)
    limit: float = 0.0


def made_survey(seed: int = 1, orders: str = "") -> Survey:
    """A survey of some kind of site; `orders` is a text that the report contains as a paragraph."""
    rng = Random(seed)
    head, _, columns, whole = DOMAINS[seed % len(DOMAINS)]
    names = rng.sample(NAMES, 8)
    made = Survey(b"", head.lower())
    story = _Story(f"Survey of the {whole} {seed}")
    story.heading("Introduction")
    story.text(f"This survey covers the {whole} for two years. It was made for the council.")
    described = dict(zip(rng.sample(TRAITS, 2), rng.sample(names, 2), strict=True))
    for trait, name in described.items():
        made.described[trait] = name
        story.text(f"{name} is {trait}.")
    if orders:
        story.text(orders)
    story.page()
    years = (2021, 2022)
    remarks = dict(zip(REMARKS[:2], rng.sample(names, 2), strict=True))
    for number, year in enumerate(years):
        shown = rng.sample(names, 7)
        _table(made, story, rng, head, columns[:2], year, shown, list(remarks.items())[number])
        story.page()
    _table(made, story, rng, head, columns[2:], 2022, rng.sample(names, 6), None)
    values = sorted(int(v) for v in made.values[columns[2], 2022].values())
    made.limit = values[rng.randint(1, 4)] + 1
    story.page()
    story.heading("Sights")
    view, name = rng.choice(VIEWS), rng.choice(names)
    made.pictured[view] = name
    story.chart(f"Figure 1: {name} {view}")
    story.text("The council keeps further pictures in its archive.")
    story.page()
    story.heading("Outlook")
    story.text(f"The {LIMIT} for the {columns[2].lower()} is {made.limit:g}. It was set in spring.")
    for name in names[:6]:
        made.stated[name] = str(rng.randint(12, 98))
        story.text(f"The yearly budget of {name} is {made.stated[name]}.")
    made.pdf = story.pdf()
    return made


def _table(
    made: Survey,
    story: "_Story",
    rng: Random,
    head: str,
    columns: tuple[str, ...],
    year: int,
    names: list[str],
    remark: tuple[str, str] | None,
) -> None:
    label = "Equipment" if len(columns) == 1 else "Size"
    story.heading(f"{label} in {year}")
    story.text("The figures were collected from the operators, who confirmed them in writing.")
    rows = [[head, *columns]]
    for column in columns:
        drawn = rng.sample(range(12, 980), len(names))
        made.values[column, year] = dict(zip(names, map(str, drawn), strict=True))
        made.order[column, year] = names
        made.pages[column, year] = story.number
    for name in names:
        mark = ""
        if remark and remark[1] == name:
            made.remarked[remark[0]] = name
            mark = "*"
        rows.append([name + mark, *(made.values[column, year][name] for column in columns)])
    story.table(f"Table {story.tables + 1}: {label} of each {head.lower()} in {year}", rows)
    if remark and remark[1] in names:
        story.note("*", remark[0])


class _Story:
    """A PDF under construction."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.number = 1
        self.tables = 0
        self._flow: list[Any] = []
        self._notes: dict[int, tuple[str, str]] = {}

    def heading(self, text: str) -> None:
        self._paragraph(text, fontName="Helvetica-Bold", fontSize=15, leading=18, spaceAfter=8)

    def text(self, text: str) -> None:
        self._paragraph(text, fontName="Times-Roman", fontSize=10, leading=12.5, spaceAfter=8)

    def note(self, mark: str, text: str) -> None:
        self._notes[self.number] = (mark, text)

    def page(self) -> None:
        from reportlab.platypus import PageBreak

        self._flow.append(PageBreak())
        self.number += 1

    def table(self, caption: str, rows: list[list[str]]) -> None:
        from reportlab.lib import colors
        from reportlab.platypus import Table

        self.tables += 1
        self._paragraph(caption, fontName="Times-Italic", fontSize=9, leading=11, spaceAfter=3)
        style: list[Any] = [
            ("FONT", (0, 0), (-1, -1), "Helvetica", 8.5),
            ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 8.5),
            ("GRID", (0, 0), (-1, -1), 0.5, colors.black),
        ]
        self._flow.append(Table(rows, colWidths=[90] * len(rows[0]), style=style, hAlign="LEFT"))

    def chart(self, caption: str) -> None:
        from reportlab.graphics.shapes import Drawing, Polygon, Rect

        drawing = Drawing(300, 120)
        drawing.add(Rect(0, 0, 300, 120, fillColor=None))
        drawing.add(Polygon([10, 10, 120, 100, 290, 10]))
        self._flow.append(drawing)
        self._paragraph(caption, fontName="Times-Italic", fontSize=9, leading=11, spaceAfter=8)

    def pdf(self) -> bytes:
        from reportlab.platypus import BaseDocTemplate, Frame, PageTemplate

        out = io.BytesIO()

        def notes(canvas: Any, document: Any) -> None:
            if document.page in self._notes:
                mark, text = self._notes[document.page]
                canvas.setFont("Times-Roman", 8)
                canvas.line(56, 92, 156, 92)
                canvas.drawString(56, 80, f"{mark} {text}")

        template = BaseDocTemplate(out, title=self.title, invariant=1)
        frame = Frame(56, 110, 480, 640, 0, 0, 0, 0)
        template.addPageTemplates([PageTemplate(frames=[frame], onPageEnd=notes)])
        template.build(self._flow)
        return out.getvalue()

    def _paragraph(self, text: str, **style: Any) -> None:
        from reportlab.lib.styles import ParagraphStyle
        from reportlab.platypus import Paragraph

        self._flow.append(Paragraph(text, ParagraphStyle("p", **style)))
