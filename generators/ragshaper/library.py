"""The knowledge base K at work: a corpus, its retriever and its threshold."""

import asyncio
from collections.abc import Sequence

from synthmill.generators.base import Resources
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.retrieval.base import Retriever
from synthmill.generators.retrieval.bm25 import Bm25Retriever
from synthmill.generators.retrieval.calibration import Calibration, calibrate
from synthmill.schemas.base import Record
from synthmill.sources.base import DocumentSource
from synthmill.sources.documents.corpus import Corpus, open_corpus, titled
from synthmill.sources.documents.document import Passage


class Found(Record):
    """A passage found, and how similar it is."""

    passage: Passage
    score: float


class Library:
    """Searches K as the paper does: the k best passages above tau."""

    def __init__(self, corpus: Corpus, retriever: Retriever, calibration: Calibration) -> None:
        self.corpus = corpus
        self.retriever = retriever
        self.calibration = calibration

    @property
    def tau(self) -> float:
        """The similarity below which nothing is found."""
        return self.calibration.tau

    async def search(self, query: str, k: int) -> list[Found]:
        """R(K, k): the `k` most similar of all passages with a similarity above tau."""
        hits = await self.retriever.search(query, k)
        return [
            Found(passage=self.corpus[hit.position], score=hit.score)
            for hit in hits
            if hit.score > self.tau
        ]

    async def rank(self, query: str, title: str, text: str, k: int) -> int | None:
        """The place (from 1) that a document would take among the passages, or None beyond k."""
        (score,) = await self.retriever.similarity(query, [titled(title, text)])
        if score <= self.tau:
            return None
        better = sum(found.score > score for found in await self.search(query, k))
        return better + 1 if better < k else None

    async def similarities(self, query: str, documents: Sequence[tuple[str, str]]) -> list[float]:
        """Similarity of a query to documents (title, text) that are not in K."""
        texts = [titled(title, text) for title, text in documents]
        return await self.retriever.similarity(query, texts)


async def open_library(
    source: DocumentSource, settings: RagShaperSettings, resources: Resources
) -> Library:
    """The library of a source: corpus, index and threshold, read from the cache or made there."""
    folder = resources.cache_dir / "corpora"
    corpus = await resources.in_thread(
        "documents read",
        lambda report: open_corpus(source, settings.chunking, folder, report),
    )
    retriever = await _retriever(corpus, settings)
    calibration = await calibrate(corpus, retriever, settings.retrieval.threshold)
    return Library(corpus, retriever, calibration)


async def _retriever(corpus: Corpus, settings: RagShaperSettings) -> Retriever:
    retrieval = settings.retrieval
    if retrieval.encoder is None or retrieval.method == "bm25":
        # In a thread: an index of a large corpus takes a while to build, and the engine goes on.
        return await asyncio.to_thread(Bm25Retriever, corpus, retrieval.bm25)
    from synthmill.generators.retrieval.dense import open_dense
    from synthmill.generators.retrieval.encoders import make_encoder
    from synthmill.generators.retrieval.vectors import CachedEncoder

    path = corpus.folder.parent / "vectors.sqlite"
    return await open_dense(corpus, CachedEncoder(make_encoder(retrieval.encoder), path))
