"""Dense retrieval: cosine of an encoder's vectors, exact search by faiss."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from synthmill.generators.base import Context
from synthmill.generators.retrieval.base import Hit, Retriever
from synthmill.generators.retrieval.encoders import TextEncoder
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import sha256_text
from synthmill.sources.documents.corpus import Corpus, built_once

PASSAGES_AT_ONCE = 1024


class DenseRetriever(Retriever):
    """Cosine similarity over a corpus. Make it with `open_dense`."""

    def __init__(self, encoder: TextEncoder, index: Any) -> None:
        self._encoder = encoder
        self._index = index

    @property
    def label(self) -> str:
        """The encoder with its prefixes."""
        return f"cosine({self._encoder.label})"

    def for_task(self, context: Context) -> "DenseRetriever":
        """See `Retriever.for_task`."""
        return DenseRetriever(self._encoder.for_task(context), self._index)

    async def search(self, query: str, k: int) -> list[Hit]:
        """See `Retriever.search`."""
        vector = await self._encoder.encode([query], "query")
        scores, positions = self._index.search(vector, min(k, self._index.ntotal))
        found = (Hit(int(p), float(s)) for p, s in zip(positions[0], scores[0], strict=True))
        return sorted((h for h in found if h.score > 0), key=lambda h: (-h.score, h.position))

    async def similarity(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `Retriever.similarity`."""
        if not texts:
            return []
        vector = await self._encoder.encode([query], "query")
        others = await self._encoder.encode(texts, "passage")
        return [float(score) for score in others @ vector[0]]


async def open_dense(
    corpus: Corpus,
    encoder: TextEncoder,
    report: Callable[[int], None] = lambda passages: None,
) -> DenseRetriever:
    """The retriever over a corpus; vectors are made and indexed once.

    `report` is called with the number of passages embedded so far.

    Raises:
        InputError: the extra `documents` is not installed.
        ServerUnavailable, RequestRejected: of the embedding model.
    """
    try:
        import faiss
    except ImportError as error:
        raise InputError(
            "dense retrieval needs the extra 'documents': pip install 'synthmill[documents]'"
        ) from error
    folder = corpus.folder / f"dense-{sha256_text(encoder.label)[:12]}"
    if not folder.exists():
        index: Any = None
        for part in _batches(corpus):
            vectors = await encoder.encode(part, "passage")
            index = index or faiss.IndexFlatIP(vectors.shape[1])
            index.add(np.ascontiguousarray(vectors))
            report(index.ntotal)
        built_once(folder, lambda new: faiss.write_index(index, str(_file(new))))
    return DenseRetriever(encoder, faiss.read_index(str(_file(folder))))


def _batches(corpus: Corpus) -> Iterator[list[str]]:
    part: list[str] = []
    for text in corpus.texts():
        part.append(text)
        if len(part) == PASSAGES_AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _file(folder: Path) -> Path:
    return folder / "vectors.faiss"
