"""Pages made with known truth: PDF files with a text layer, and scans of them.

A page is a list of blocks from top to bottom: a title, prose in one or two columns, a table. The
words are drawn from a list, so pages differ and no engine can guess them.
"""

import io
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np
import pypdfium2
from PIL import Image, ImageDraw

from synthmill.generators.mineru_pro.omnidocbench import annotated
from synthmill.generators.mineru_pro.records import PageElement
from synthmill.rewards.document_tables import TableCell, table_html
from tests.sources.documents.pdf_files import make_pdf

WIDTH, HEIGHT = 600, 800
WORDS = [
    *("river", "stone", "market", "window", "garden", "letter", "signal", "copper", "winter"),
    *("harbor", "method", "sample", "theory", "result", "column", "engine", "forest", "silver"),
    *("bridge", "number", "paper", "record", "system", "valley", "weather", "station", "measure"),
    *("surface", "pressure", "current", "annual", "report", "northern", "between", "several"),
]


@dataclass
class Truth:
    """An element of a page: its kind, its box in points from the top left, its content."""

    kind: str
    box: tuple[float, float, float, float]
    content: str


@dataclass
class MadePage:
    """A page as lines of a PDF (x, y from below, size, text), with its elements in order."""

    lines: list[tuple[float, float, float, str]] = field(default_factory=list)
    truth: list[Truth] = field(default_factory=list)


def made_page(seed: int, columns: int = 1, tables: int = 1) -> MadePage:
    """A page with a title, a paragraph in each column, and tables below."""
    rng, page = Random(seed), MadePage()
    top = _title(page, rng, 50)
    bottoms = []
    width = (WIDTH - 100 - 40 * (columns - 1)) / columns
    for column in range(columns):
        below = top
        for _ in range(2):
            below = _prose(page, rng, 50 + column * (width + 40), below + 24, width)
        bottoms.append(below)
    below = max(bottoms)
    for _ in range(tables):
        below = _table(page, rng, below + 40)
    return page


def pdf_of(pages: list[MadePage]) -> bytes:
    """The pages as one PDF file."""
    return make_pdf([page.lines for page in pages], title="Made pages")


def scan_of(
    page: MadePage, seed: int = 0, dpi: int = 150, noise: float = 12, turn: float = 0
) -> bytes:
    """The page as a scanned PNG: gray noise, and turned by so many degrees."""
    image = pypdfium2.PdfDocument(pdf_of([page]))[0].render(scale=dpi / 72).to_pil().convert("L")
    if turn:
        image = image.rotate(turn, expand=False, fillcolor=255, resample=Image.Resampling.BICUBIC)
    pixels = np.asarray(image, np.float64)
    pixels = pixels + np.random.default_rng(seed).normal(0, noise, pixels.shape)
    out = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(out, "PNG", dpi=(dpi, dpi))
    return out.getvalue()


def stamped(png: bytes, box: tuple[float, float, float, float], dpi: int = 150) -> bytes:
    """A scan with a dark stamp over a box in points, which hides what is under it."""
    image = Image.open(io.BytesIO(png)).convert("L")
    ImageDraw.Draw(image).rectangle([side * dpi / 72 for side in box], fill=30)
    out = io.BytesIO()
    image.save(out, "PNG", dpi=(dpi, dpi))
    return out.getvalue()


def write_folder(folder: Path, pages: int = 3) -> dict[str, list[MadePage]]:
    """A PDF of two-column and one-column pages, and a scan of each; the pages by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    made = [made_page(seed, columns=1 + seed % 2) for seed in range(pages)]
    (folder / "report.pdf").write_bytes(pdf_of(made))
    files = {"report.pdf": made}
    for seed in range(pages):
        other = made_page(100 + seed, columns=1 + seed % 2)
        (folder / f"scan{seed}.png").write_bytes(scan_of(other, seed))
        files[f"scan{seed}.png"] = [other]
    return files


def write_truth(folder: Path, files: dict[str, list[MadePage]]) -> None:
    """The truth of the pages as ``truth.json`` in OmniDocBench's form."""
    pages = [
        annotated(name, number, (WIDTH, HEIGHT), elements(page))
        for name, made in files.items()
        for number, page in enumerate(made, start=1)
    ]
    (folder / "truth.json").write_text(json.dumps(pages))


def elements(page: MadePage) -> list[PageElement]:
    """The truth of a page as elements."""
    return [PageElement(kind=t.kind, box=t.box, content=t.content) for t in page.truth]


def _title(page: MadePage, rng: Random, top: float) -> float:
    text = " ".join(rng.sample(WORDS, 4)).title()
    page.lines.append((50, HEIGHT - top - 18, 20, text))
    page.truth.append(Truth("title", (50, top, 50 + 10 * len(text), top + 24), text))
    return top + 24


def _prose(page: MadePage, rng: Random, left: float, top: float, width: float) -> float:
    """A paragraph of about six lines."""
    lines, room = [], int(width / 5.4)
    for _ in range(6):
        line = rng.choice(WORDS)
        while len(line) + 10 < room:
            line += " " + (rng.choice(WORDS) if rng.random() > 0.1 else str(rng.randrange(10000)))
        lines.append(line)
    for at, line in enumerate(lines):
        page.lines.append((left, HEIGHT - top - 10 - 14 * at, 11, line))
    bottom = top + 14 * len(lines)
    page.truth.append(Truth("text", (left, top, left + width, bottom), " ".join(lines)))
    return bottom


def _table(page: MadePage, rng: Random, top: float) -> float:
    """A table of four columns: a head, and rows of a name and numbers."""
    rows = [[rng.choice(WORDS).title() for _ in range(4)]]
    rows += [
        [rng.choice(WORDS), *(f"{rng.uniform(0, 10 ** rng.randint(1, 4)):.2f}" for _ in range(3))]
        for _ in range(rng.randint(3, 6))
    ]
    for at, row in enumerate(rows):
        for column, text in enumerate(row):
            page.lines.append((60 + 125 * column, HEIGHT - top - 10 - 18 * at, 11, text))
    bottom = top + 18 * len(rows)
    html = table_html([[TableCell(text) for text in row] for row in rows])
    page.truth.append(Truth("table", (60, top, 60 + 125 * 3 + 60, bottom), html))
    return math.ceil(bottom)
