"""Splitting a document into passages at paragraph, sentence or word boundaries."""

import re
from collections.abc import Iterator

from pydantic import Field, model_validator

from synthmill.schemas.base import Settings
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.passage import Passage, passage_of

# From the best boundary to the worst; each pattern ends where a new passage may begin.
BOUNDARIES = (re.compile(r"\n\s*\n"), re.compile(r"[.!?][\"')\]]*\s+|\n"), re.compile(r"\s+"))


class Chunking(Settings):
    """Sizes of passages. RAGShaper's paper does not disclose its own; these are ours, near the 100
    words of the Wikipedia passages that open-domain QA usually retrieves."""

    max_chars: int = Field(default=900, ge=100, description="longest passage, in characters")
    min_chars: int = Field(
        default=300, ge=0, description="shortest passage before a boundary; also the shortest tail"
    )
    overlap_chars: int = Field(
        default=0, ge=0, description="characters that adjacent passages share"
    )

    @model_validator(mode="after")
    def _sizes_fit(self) -> "Chunking":
        if self.min_chars >= self.max_chars or self.overlap_chars > self.min_chars // 2:
            raise ValueError("2 * overlap_chars <= min_chars < max_chars must hold")
        return self


def cut(document: Document, settings: Chunking) -> Iterator[Passage]:
    """The passages of a document in order; each is ``document.text[start:end]``, stripped.

    Together they contain every character that is not white space.
    """
    sha256 = document.sha256
    for start, end in _spans(document.text, settings):
        piece = document.text[start:end]
        left = len(piece) - len(piece.lstrip())
        right = len(piece.rstrip())
        if left < right:
            yield passage_of(document, sha256, start + left, start + right)


def _spans(text: str, settings: Chunking) -> Iterator[tuple[int, int]]:
    start = 0
    while len(text) - start > settings.max_chars:
        end = _cut_after(text, start + settings.min_chars, start + settings.max_chars)
        if len(text) - end < settings.min_chars:  # rather two halves than a short tail
            middle = start + (len(text) - start) // 2
            end = _cut_after(text, middle, start + settings.max_chars)
        yield start, end
        start = max(end - settings.overlap_chars, start + 1)  # progress for any settings
    yield start, len(text)


def _cut_after(text: str, low: int, high: int) -> int:
    """The last boundary of the best kind between two offsets, or `high` where there is none."""
    for boundary in BOUNDARIES:
        ends = [found.end() for found in boundary.finditer(text, low, high)]
        if ends:
            return ends[-1]
    return high
