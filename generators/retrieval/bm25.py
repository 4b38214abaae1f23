"""Lexical retrieval: BM25 by bm25s, no model needed.

Similarity is the share of the query's weight that a text earns: its BM25 score over the score that
no text can exceed, the sum of the inverse document frequencies of the query's words. So it lies in
[0, 1) and can be compared between queries, and between the corpus and texts outside of it, which
plain BM25 scores cannot.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from synthmill.generators.retrieval.base import Hit, Retriever, best
from synthmill.schemas.base import Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.sources.documents.corpus import Corpus, built_once

INDEX_VERSION = 2
PASSAGES_BETWEEN_REPORTS = 1000
# Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009), section 3.6: k1 between
# 1.2 and 2, b between 0.5 and 0.8; the values are Lucene's, whose variant of the formula this is.
K1 = 1.2
B = 0.75
_WORD = re.compile(r"\d+(?:[.,]\d+)*|\w+")


class Bm25Settings(Settings):
    """Parameters of BM25."""

    k1: float = Field(default=K1, ge=0)
    b: float = Field(default=B, ge=0, le=1)


class Bm25Retriever(Retriever):
    """BM25 over a corpus; the index is mapped from disk, and built there once.

    `report` is called with the number of passages indexed so far; an exception of it ends the
    building, which leaves nothing behind.
    """

    def __init__(
        self,
        corpus: Corpus,
        settings: Bm25Settings | None = None,
        report: Callable[[int], None] = lambda passages: None,
    ) -> None:
        self.settings = settings or Bm25Settings()
        library = _bm25s()
        key = canonical_json([INDEX_VERSION, library.__version__, self.settings.model_dump()])
        folder = corpus.folder / f"bm25-{sha256_text(key)[:12]}"
        built_once(
            folder, lambda new: _build(_reported(corpus.texts(), report), self.settings, new)
        )
        self._index = library.BM25.load(str(folder), mmap=True)
        self._count = len(corpus)
        self._vocabulary: dict[str, int] = self._index.vocab_dict
        self._starts = np.asarray(self._index.scores["indptr"])
        self._mean_length = float((folder / "mean_length").read_text())

    @property
    def label(self) -> str:
        """BM25 with its parameters."""
        return f"bm25(k1={self.settings.k1:g},b={self.settings.b:g})"

    async def search(self, query: str, k: int) -> list[Hit]:
        """See `Retriever.search`."""
        terms = _distinct(query)
        known = [self._vocabulary[term] for term in terms if term in self._vocabulary]
        if not known:
            return []
        scores = self._index.get_scores_from_ids(known)
        return best((scores / self._attainable(terms)).astype(np.float32), k)

    async def similarity(self, query: str, texts: Sequence[str]) -> list[float]:
        """See `Retriever.similarity`; a text outside the corpus is weighed with its frequencies."""
        terms = _distinct(query)
        attainable = self._attainable(terms)
        return [self._score(terms, words(text)) / attainable for text in texts]

    def _score(self, terms: Sequence[str], text: list[str]) -> float:
        """BM25 of Robertson and Zaragoza 2009, eq. 3.15, without the constant factor (k1 + 1)."""
        counts, k1, b = Counter(text), self.settings.k1, self.settings.b
        norm = k1 * (1 - b + b * len(text) / self._mean_length)
        return sum(self._idf(t) * counts[t] / (norm + counts[t]) for t in terms if counts[t])

    def _attainable(self, terms: Sequence[str]) -> float:
        return sum(map(self._idf, terms)) or 1.0

    def _idf(self, term: str) -> float:
        """Lucene's: ln(1 + (N - n + 1/2) / (n + 1/2)) for a word in n of N passages."""
        number = self._vocabulary.get(term)
        n = 0 if number is None else int(self._starts[number + 1] - self._starts[number])
        return math.log(1 + (self._count - n + 0.5) / (n + 0.5))


def words(text: str) -> list[str]:
    """The words that are indexed: lower case, numbers kept whole, without English stop words."""
    stop = _stop_words()
    return [word for word in _WORD.findall(text.lower()) if word not in stop]


@cache
def _stop_words() -> frozenset[str]:
    _bm25s()
    from bm25s.stopwords import STOPWORDS_EN

    return frozenset(STOPWORDS_EN)


def _bm25s() -> Any:
    try:
        import bm25s
    except ImportError as error:
        raise InputError(
            "retrieval needs the extra 'documents': pip install 'synthmill[documents]'"
        ) from error
    return bm25s


def _distinct(query: str) -> list[str]:
    return list(dict.fromkeys(words(query)))


def _reported(texts: Iterable[str], report: Callable[[int], None]) -> Iterator[str]:
    for number, text in enumerate(texts, 1):
        if number % PASSAGES_BETWEEN_REPORTS == 0:
            report(number)
        yield text


def _build(texts: Iterable[str], settings: Bm25Settings, folder: Path) -> None:
    vocabulary: dict[str, int] = {}
    passages = [
        [vocabulary.setdefault(word, len(vocabulary)) for word in words(text)] for text in texts
    ]
    if not vocabulary:
        raise InputError("the corpus holds no word that could be searched for")
    mean = sum(map(len, passages)) / len(passages)
    index = _bm25s().BM25(k1=settings.k1, b=settings.b, method="lucene")
    index.index((passages, vocabulary), create_empty_token=False, show_progress=False)
    index.save(str(folder), show_progress=False)
    (folder / "mean_length").write_text(repr(mean))
