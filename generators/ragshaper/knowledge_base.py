"""The knowledge base K: a corpus with its retriever and similarity threshold tau."""

from collections.abc import Sequence

from synthmill.generators.base import Context, Resources
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.retrieval.base import Retriever
from synthmill.generators.retrieval.bm25 import Bm25Retriever
from synthmill.generators.retrieval.calibration import Calibration, calibrate
from synthmill.generators.retrieval.dense import open_dense
from synthmill.generators.retrieval.encoders import TextEncoder
from synthmill.schemas.base import Record
from synthmill.sources.base import DocumentSource
from synthmill.sources.documents.corpus import Corpus, open_corpus, titled
from synthmill.sources.documents.passage import Passage


class SearchHit(Record):
    """A passage found, with its similarity to the query."""

    passage: Passage
    score: float


class KnowledgeBase:
    """Searches a corpus as the paper does: the k best passages above tau."""

    def __init__(self, corpus: Corpus, retriever: Retriever, calibration: Calibration) -> None:
        self.corpus = corpus
        self.retriever = retriever
        self.calibration = calibration

    def for_task(self, context: Context) -> "KnowledgeBase":
        """The same knowledge base, whose model calls count as the task's."""
        return KnowledgeBase(self.corpus, self.retriever.for_task(context), self.calibration)

    @property
    def tau(self) -> float:
        """Only passages of a greater similarity are found."""
        return self.calibration.tau

    async def search(self, query: str, k: int) -> list[SearchHit]:
        """R(K, k): the `k` most similar of all passages with a similarity above tau."""
        hits = await self.retriever.search(query, k)
        return [
            SearchHit(passage=self.corpus[hit.position], score=hit.score)
            for hit in hits
            if hit.score > self.tau
        ]

    async def rank(self, query: str, title: str, text: str, k: int) -> int | None:
        """The rank (from 1) of a document among the passages, or None if it is not in the first k.

        The document need not be in the corpus.
        """
        (score,) = await self.similarities(query, [(title, text)])
        if score <= self.tau:
            return None
        better = sum(hit.score > score for hit in await self.search(query, k))
        return better + 1 if better < k else None

    async def similarities(self, query: str, documents: Sequence[tuple[str, str]]) -> list[float]:
        """Similarities of a query to documents (title, text), in the corpus or not."""
        texts = [titled(title, text) for title, text in documents]
        return await self.retriever.similarity(query, texts)


async def open_knowledge_base(
    source: DocumentSource, settings: RagShaperSettings, resources: Resources
) -> KnowledgeBase:
    """The knowledge base of a source; passages, index and threshold are built once in the cache."""
    folder = resources.cache_dir / "corpora"
    corpus = await resources.in_thread(
        "documents read",
        lambda report: open_corpus(source, settings.chunking, folder, report),
    )
    retriever = await _retriever(corpus, settings, resources)
    calibration = await calibrate(corpus, retriever, settings.retrieval.threshold)
    return KnowledgeBase(corpus, retriever, calibration)


async def _retriever(
    corpus: Corpus, settings: RagShaperSettings, resources: Resources
) -> Retriever:
    retrieval = settings.retrieval
    if retrieval.method == "bm25":
        return await resources.in_thread(
            f"passages indexed, of {len(corpus):,}",
            lambda report: Bm25Retriever(corpus, retrieval.bm25, report),
        )
    client = resources.models.client(retrieval.encoder.role)
    encoder = TextEncoder(client, retrieval.encoder)
    return await open_dense(
        corpus, encoder, lambda done: resources.progress("passages embedded", done, len(corpus))
    )
