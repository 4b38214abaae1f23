"""Parsers that are vision-language models at any endpoint, by presets of prompts and forms."""

import asyncio
import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from synthmill.generators.base import Context
from synthmill.generators.mineru_pro.page_parsers import ReadPage, Run
from synthmill.generators.mineru_pro.records import Kind, PageElement, ParsedPage
from synthmill.generators.mineru_pro.rows import crops
from synthmill.generators.mineru_pro.settings import Preset
from synthmill.generators.mineru_pro.vision_forms import (
    mineru_regions,
    qwen_elements,
    recognized,
)
from synthmill.models.prompt import Prompt
from synthmill.models.request import Sampling
from synthmill.schemas.messages import ImagePart, Message, TextPart
from synthmill.sources.documents.ocr.base import open_image
from synthmill.sources.pages import PageFile

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_TOKENS = 8192  # the length of training sequences of MinerU2.5-Pro (section 4)
# Of MinerU2.5's client: the page as the model sees it, and the least side of a crop in pixels.
LAYOUT_SIZE = (1036, 1036)
MIN_SIDE = 28


class PresetPrompts(NamedTuple):
    """What a model is asked: for a page, for its layout, or for elements of each kind alone."""

    page: str | None
    layout: str | None
    elements: Mapping[Kind, str]


# MinerU2.5: appendix A of the paper and its client. PaddleOCR-VL: its model card. Qwen3-VL: its
# cookbook of document parsing.
PRESETS: dict[Preset, PresetPrompts] = {
    "mineru": PresetPrompts(
        page=None,
        layout="\nLayout Detection:",
        elements={
            "title": "\nText Recognition:",
            "text": "\nText Recognition:",
            "table": "\nTable Recognition:",
            "formula": "\nFormula Recognition:",
        },
    ),
    "paddleocr_vl": PresetPrompts(
        page=None,
        layout=None,
        elements={
            "title": "OCR:",
            "text": "OCR:",
            "table": "Table Recognition:",
            "formula": "Formula Recognition:",
        },
    ),
    "qwen_vl": PresetPrompts(page="QwenVL HTML", layout=None, elements={}),
}


class ReadImage(Prompt[str]):
    """An image with one line of text, the only form in which these models are asked."""

    png: str
    text: str

    def messages(self) -> tuple[Message, ...]:
        """The image, then the text."""
        image = ImagePart(path=f"data:image/png;base64,{self.png}", mime="image/png")
        return (Message(role="user", content=(image, TextPart(text=self.text))),)


async def parse_by_models(
    page: PageFile, read: ReadPage, vision: Mapping[str, Preset], context: Context, run: Run
) -> list[ParsedPage]:
    """What each model finds on a page; `vision` has the preset of each model role.

    A model that recognizes elements alone is given the regions of the first parser that found any:
    its own segmentation is none, and its text is its own.

    Raises:
        Exception: a call failed, or the budget is spent (see `models.errors`); the task fails.
    """
    own = {role: preset for role, preset in vision.items() if preset != "paddleocr_vl"}
    found = await asyncio.gather(
        *(_parse(role, preset, page, read, (), context, run) for role, preset in own.items())
    )
    known = [parsed.elements for parsed in (*found, *read.parsed) if parsed.elements]
    regions = known[0] if known else ()
    given = [
        _parse(role, preset, page, read, regions, context, run)
        for role, preset in vision.items()
        if role not in own
    ]
    return [*found, *await asyncio.gather(*given)]


async def _parse(
    role: str,
    preset: Preset,
    page: PageFile,
    read: ReadPage,
    regions: Sequence[PageElement],
    context: Context,
    run: Run,
) -> ParsedPage:
    prompts = PRESETS[preset]
    asked = _Asked(role, context)
    if prompts.page is not None:
        answer = await asked("page", prompts.page, read.png)
        elements = qwen_elements(answer, page.width, page.height)
        return _parsed(role, preset, elements, "no element with data-bbox in the answer")
    if prompts.layout is not None:
        answer = await asked("layout", prompts.layout, await run(resized, read.png, LAYOUT_SIZE))
        regions = mineru_regions(answer, page.width, page.height)
        if not regions:
            return _parsed(role, preset, [], "no layout tokens in the answer")
    wanted = [element for element in regions if element.kind in prompts.elements]
    images = await run(crops, read.png, [e.box for e in wanted], read.scale, 0.0, MIN_SIDE)
    contents = iter(
        await asyncio.gather(
            *(
                asked(f"element {at}", prompts.elements[element.kind], image)
                for at, (element, image) in enumerate(zip(wanted, images, strict=True))
            )
        )
    )
    elements = [
        element.model_copy(update={"content": recognized(element.kind, next(contents))})
        if element.kind in prompts.elements
        else element
        for element in regions
    ]
    return _parsed(role, preset, elements, "no region to recognize")


class _Asked:
    """Asks the model of a role about an image; an answer without text is an empty one."""

    def __init__(self, role: str, context: Context) -> None:
        self._role = role
        self._context = context

    async def __call__(self, purpose: str, text: str, png: bytes) -> str:
        reply = await self._context.generate(
            ReadImage(png=base64.b64encode(png).decode(), text=text),
            purpose=f"{self._role}/{purpose}",
            role=self._role,
            sampling=Sampling(temperature=0.0, max_tokens=MAX_TOKENS),
        )
        return reply.value or ""


def _parsed(
    role: str, preset: Preset, elements: Sequence[PageElement], otherwise: str
) -> ParsedPage:
    failure = None if elements else otherwise
    return ParsedPage(parser=role, family=preset, elements=tuple(elements), failure=failure)


def resized(png: bytes, size: tuple[int, int]) -> bytes:
    """An image at another size; runs in a worker."""
    image: Image = open_image(png).resize(size)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
