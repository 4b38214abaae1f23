"""The interface of engines that read the text of a page image, and their selection by name."""

import io
from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from synthmill.schemas.plugins import available, load_plugin

if TYPE_CHECKING:
    from PIL.Image import Image

PACKAGES = ("synthmill.sources.documents.ocr",)
# Ours: a larger image is a decompression bomb or a poster; it is made smaller before it is read.
MAX_OCR_PIXELS = 40_000_000


class TextPiece(NamedTuple):
    """Text that stands on one line, with its box: the origin is the top left corner of the page.

    `confidence` is the engine's own, in [0, 1], and 1 for engines that have none.
    """

    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    confidence: float = 1.0

    @property
    def height(self) -> float:
        """The height of the box."""
        return self.y1 - self.y0


class OcrEngine(ABC):
    """Reads the text of an image; made once in each worker process.

    Engines of one `family` share a model or a method, so their agreement proves little.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """What must be installed for this engine, or None where nothing is missing."""

    @abstractmethod
    def read(self, image: "Image") -> list[TextPiece]:
        """The words or lines of an RGB image, in any order; boxes in pixels."""


def ocr_engines() -> dict[str, type[OcrEngine]]:
    """The known engines by name, also those that lack something."""
    return {name: ocr_engine_class(name) for name in available(OcrEngine, PACKAGES)}


def ocr_engine_class(name: str) -> type[OcrEngine]:
    """The engine of that name.

    Raises:
        InputError: there is none.
    """
    return load_plugin(OcrEngine, name, PACKAGES)  # type: ignore[type-abstract]


def read_text(name: str, png: bytes) -> list[TextPiece]:
    """The text of an image file, read by the engine `name`; runs in a worker.

    Boxes are in pixels of the file, also where it is made smaller for the engine.

    Raises:
        OSError: it is no image that Pillow can read.
    """
    image = open_image(png)
    factor = min(1.0, (MAX_OCR_PIXELS / (image.width * image.height)) ** 0.5)
    if factor < 1:
        image = image.resize((int(image.width * factor) or 1, int(image.height * factor) or 1))
    pieces = _engine(name).read(image)
    return [
        piece._replace(
            text=" ".join(piece.text.split()),
            x0=round(piece.x0 / factor, 2),
            y0=round(piece.y0 / factor, 2),
            x1=round(piece.x1 / factor, 2),
            y1=round(piece.y1 / factor, 2),
        )
        for piece in pieces
        if piece.text.strip()
    ]


def open_image(data: bytes) -> "Image":
    """An image file as RGB, turned as its metadata says.

    Raises:
        OSError: it is no image that Pillow can read, or one of more than 500 megapixels.
    """
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = 250_000_000  # Pillow refuses twice as many
    try:
        with Image.open(io.BytesIO(data)) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise OSError(str(error)) from error


def gray(image: "Image") -> NDArray[np.uint8]:
    """The brightness of an image, (height, width)."""
    return np.asarray(image.convert("L"))


@cache
def _engine(name: str) -> OcrEngine:
    return ocr_engine_class(name)()
