"""Parsers of pages: the text layer of PDF files, and OCR engines, each in a worker process.

All of them give pieces of text with boxes, and `sources.documents.blocks` makes the elements of
them. So their recognition is independent, and their segmentation is not: agreement about a layout
says less than agreement about a text.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from synthmill.generators.mineru_pro.records import PageElement, ParsedPage
from synthmill.generators.mineru_pro.settings import TEXT_LAYER, Reading
from synthmill.rewards.document_tables import TableCell, table_html
from synthmill.runtime.workers import Limits, WorkerError
from synthmill.schemas.errors import InputError
from synthmill.sources.documents.blocks import TextBlock, page_blocks
from synthmill.sources.documents.ocr.base import TextPiece, ocr_engine_class, open_image, read_text
from synthmill.sources.documents.text_layer import text_layer
from synthmill.sources.pages import PageFile, page_image

T = TypeVar("T")
MAX_REASON = 200  # characters of a library's error message that are kept


def families(
    parsers: Sequence[str], vision: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """The family of each parser; that of a vision model is its preset.

    Raises:
        InputError: a parser is unknown or not installed, or all are of one family.
    """
    found, missing = {}, []
    for name in parsers:
        if name == TEXT_LAYER:
            found[name] = TEXT_LAYER
            continue
        if name in vision:
            found[name] = vision[name]
            continue
        engine = ocr_engine_class(name)
        found[name] = engine.family
        if lacks := engine.missing():
            missing.append(f"{name} ({lacks})")
    if missing:
        raise InputError(f"mineru_pro: not installed: {'; '.join(missing)}")
    if len(set(found.values())) < 2:
        raise InputError(
            f"mineru_pro: agreement needs parsers of two families; {', '.join(found)} "
            f"{'is' if len(found) == 1 else 'are'} of one: {', '.join(set(found.values()))}"
        )
    return found


class ReadPage(NamedTuple):
    """A page as rendered, with `scale` pixels for each point, and what each parser found on it."""

    png: bytes
    scale: float
    parsed: list[ParsedPage]


async def read_page(page: PageFile, parsers: Mapping[str, str], run: "Run") -> ReadPage:
    """Render a page and let all parsers read it, given with their families.

    Raises:
        WorkerError: rendering exceeded a limit.
        OSError: the page cannot be rendered.
    """
    png = await run(page_image, page, run.reading.dpi, run.reading.max_pixels)
    scale = open_image(png).width / page.width
    reading = (parse_page(name, parsers[name], page, png, scale, run) for name in parsers)
    return ReadPage(png, scale, list(await asyncio.gather(*reading)))


async def parse_page(
    parser: str, family: str, page: PageFile, png: bytes, scale: float, run: "Run"
) -> ParsedPage:
    """What a parser finds on a page; a failure of it is part of the result.

    `png` is the page as rendered, with `scale` pixels for each point.
    """
    try:
        if parser == TEXT_LAYER:
            if page.form != "pdf":
                return ParsedPage(parser=parser, family=family, absent=True)
            pieces = await run(text_layer, page.path, page.sha256, page.number)
            if not pieces:  # a scan within a PDF
                return ParsedPage(parser=parser, family=family, absent=True)
        else:
            pieces = in_points(await run(read_text, parser, png), scale)
    except WorkerError as error:
        return ParsedPage(parser=parser, family=family, failure=str(error))
    except Exception as error:  # whatever a library raises on a hostile page
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON]
        return ParsedPage(parser=parser, family=family, failure=reason)
    elements = elements_of(page_blocks(pieces, page.width))
    return ParsedPage(parser=parser, family=family, elements=elements)


class Run:
    """Runs functions in worker processes within the limits of the settings.

    `run_in_worker` is `Context.run_in_worker`, or `WorkerPool.run` where there is no task yet.
    """

    def __init__(self, run_in_worker: Callable[..., Awaitable[Any]], reading: Reading) -> None:
        self._run = run_in_worker
        self.reading = reading
        self._limits = Limits(seconds=reading.seconds, memory_mb=reading.memory_mb, output_mb=64)

    async def __call__(self, function: Callable[..., T], *args: object) -> T:
        """The result of ``function(*args)``.

        Raises:
            WorkerError: it exceeded a limit, or its worker died.
        """
        result: T = await self._run(function, *args, limits=self._limits)
        return result


def in_points(pieces: Sequence[TextPiece], scale: float) -> list[TextPiece]:
    """Pieces in points instead of pixels."""
    return [
        piece._replace(
            x0=piece.x0 / scale, y0=piece.y0 / scale, x1=piece.x1 / scale, y1=piece.y1 / scale
        )
        for piece in pieces
    ]


def elements_of(blocks: Sequence[TextBlock]) -> tuple[PageElement, ...]:
    """Blocks as elements: tables as HTML, other text with its line breaks."""
    return tuple(
        PageElement(
            kind=block.kind,
            box=tuple(round(side, 1) for side in block.box),
            content=_html(block) if block.kind == "table" else block.text,
        )
        for block in blocks
    )


def _html(block: TextBlock) -> str:
    rows: dict[int, list[TableCell]] = {}
    for cell in block.cells:
        rows.setdefault(cell.row, []).append(TableCell(cell.text, cell.column_span, cell.row_span))
    return table_html(list(rows.values()))
