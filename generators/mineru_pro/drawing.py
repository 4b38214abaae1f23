"""Rows for people: a page with its regions in reading order, an element above its label."""

import io
import textwrap
from typing import TYPE_CHECKING

from synthmill.generators.mineru_pro.consistency import layout_regions
from synthmill.generators.mineru_pro.records import Consensus, RowDetail
from synthmill.rewards.document_tables import parse_table
from synthmill.sources.documents.ocr.base import open_image

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

COLORS = {
    "title": (200, 60, 30),
    "text": (40, 90, 200),
    "table": (20, 140, 70),
    "equation": (150, 40, 170),
    "image": (120, 120, 120),
}
INK, FAINT = (30, 30, 30), (110, 110, 110)
WIDTH = 1000  # pixels of a picture at most
FONT = 17
LINE = 22
CHARACTERS = 108  # of a line below an element
LINES = 14  # of one content


def describe(detail: RowDetail) -> str:
    """Tier, agreement and contents of a region, line by line."""
    found = detail.consensus
    lines = [
        f"page {detail.number} of {detail.page}, cluster {detail.cluster}",
        f"{found.kind}: {found.tier}, agreement {found.agreement:.3f} "
        f"(threshold {found.threshold:g})" + (f": {found.reason}" if found.reason else ""),
    ]
    lines += [f"{pair.first} ~ {pair.second}: {pair.value:.3f}" for pair in found.similarities]
    lines += [f"{parser}: {reason}" for parser, reason in detail.failures.items()]
    for vote in found.votes:
        mark = "*" if vote.parser == found.label_from else " "
        lines.append(f"{mark} {vote.parser}: {_shown(found, vote.content)}")
    return "\n".join(lines)


def picture(detail: RowDetail, png: bytes) -> bytes:
    """A PNG of the row, made of its image."""
    from PIL import Image, ImageDraw, ImageFont

    image = open_image(png)
    factor = min(1.0, WIDTH / image.width)
    image = image.resize((round(image.width * factor), max(1, round(image.height * factor))))
    found = detail.consensus
    if found.task == "layout":
        scale = detail.scale * factor
        draw = ImageDraw.Draw(image)
        draw.font = ImageFont.load_default(FONT)
        _draw_layout(draw, found, (detail.width, detail.height), scale)
        out = image
    else:
        lines = _lines(found)
        out = Image.new("RGB", (WIDTH, image.height + LINE * len(lines) + 20), "white")
        out.paste(image, (0, 0))
        draw = ImageDraw.Draw(out)
        draw.line((0, image.height + 6, WIDTH, image.height + 6), fill=FAINT)
        font = ImageFont.load_default(FONT)
        for at, (line, color) in enumerate(lines):
            draw.text((6, image.height + 12 + LINE * at), line, fill=color, font=font)
    file = io.BytesIO()
    out.save(file, "PNG")
    return file.getvalue()


def _draw_layout(
    draw: "ImageDraw", found: Consensus, size: tuple[float, float], scale: float
) -> None:
    """The regions of the label, or of the first vote where there is none, numbered in order."""
    content = found.label or found.votes[0].content
    for number, region in enumerate(layout_regions(content, size), start=1):
        color = COLORS.get(region.category, INK)
        box = [side * scale for side in region[1:]]
        draw.rectangle(box, outline=color, width=2)
        draw.text((box[0] + 3, box[1] - LINE), f"{number} {region.category}", fill=color)
    origin = found.label_from or f"{found.votes[0].parser}, no label"
    draw.text((6, 4), f"layout: {found.tier}, {found.agreement:.2f}, {origin}", fill=INK)


def _lines(found: Consensus) -> list[tuple[str, tuple[int, int, int]]]:
    head = f"{found.kind}: {found.tier}, agreement {found.agreement:.3f}"
    lines = [(f"{head}{': ' + found.reason if found.reason else ''}", INK)]
    for vote in found.votes:
        chosen = vote.parser == found.label_from
        color = COLORS["table"] if chosen else FAINT
        lines.append((f"{vote.parser}{' (label)' if chosen else ''}", color))
        shown = _shown(found, vote.content).splitlines()
        wrapped = [part for line in shown for part in textwrap.wrap(line, CHARACTERS) or [""]]
        lines += [(f"   {line}", INK if chosen else FAINT) for line in wrapped[:LINES]]
    return lines


def _shown(found: Consensus, content: str) -> str:
    """A content as it is read: the cells of a table, row by row."""
    if found.task != "table":
        return content
    rows = parse_table(content).rows
    return "\n".join(" | ".join(cell.text for cell in row) for row in rows)
