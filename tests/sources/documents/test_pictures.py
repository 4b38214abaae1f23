"""Pictures of pages and boxes: they show what is there, within a bound of pixels."""

import io
from pathlib import Path

import pytest

from synthmill.runtime.workers import WorkerPool
from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.elements import BoundingBox
from synthmill.sources.documents.pictures import PICTURE_LIMITS, crop_png, page_png
from synthmill.sources.reading.files import Unreadable
from tests.sources.documents.pdf_files import make_pdf

pytest.importorskip("pypdfium2")
image = pytest.importorskip("PIL.Image")

PAGES = [[(50, 740, 24, "Annual report"), (50, 600, 10, "Words.")], [(50, 740, 10, "More.")]]


def read(path: Path, turn: int = 0) -> Document:
    path.write_bytes(make_pdf(PAGES, turn=turn))
    (document,) = CorpusSource(CorpusSettings(path=path)).items()
    assert isinstance(document, Document)
    return document


def ink(png: bytes) -> float:
    """The share of dark pixels."""
    dark = image.open(io.BytesIO(png)).convert("L").point(lambda value: 255 * (value < 128))
    return dark.histogram()[255] / (dark.width * dark.height)


def test_a_page_is_rendered_within_a_bound_of_pixels(tmp_path: Path) -> None:
    document = read(tmp_path / "a.pdf")
    assert document.original is not None
    with WorkerPool(1) as workers:
        page = workers.run_blocking(page_png, document.original, 1, 72, limits=PICTURE_LIMITS)
    assert image.open(io.BytesIO(page)).size == (600, 800) and 0 < ink(page) < 0.05
    small = image.open(io.BytesIO(page_png(document.original, 1, 600, max_pixels=10_000)))
    assert 9_000 < small.width * small.height <= 10_000


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_crop_shows_the_element(tmp_path: Path, turn: int) -> None:
    document = read(tmp_path / "a.pdf", turn)
    heading = document.elements[0]
    assert document.original is not None and heading.box is not None
    around = ink(crop_png(document.original, 1, heading.box))
    assert around > 0.08, "a heading fills its box"
    blank = BoundingBox(300, 300, 400, 400)
    assert ink(crop_png(document.original, 1, blank)) == 0


def test_what_cannot_be_shown_is_named(tmp_path: Path) -> None:
    document = read(tmp_path / "a.pdf")
    assert document.original is not None
    with pytest.raises(Unreadable, match="page 3 of 2"):
        page_png(document.original, 3)
    with pytest.raises(Unreadable, match="on a page of 600 x 800 points"):
        crop_png(document.original, 1, BoundingBox(700, 10, 800, 20))
    read(tmp_path / "a.pdf", turn=90)
    with pytest.raises(Unreadable, match="not the one that was read"):
        page_png(document.original, 1)
