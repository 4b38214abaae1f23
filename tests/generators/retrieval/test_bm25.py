"""BM25: ranks as the formula says, the same for texts inside and outside of the corpus."""

import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthmill.generators.retrieval.base import best
from synthmill.generators.retrieval.bm25 import K1, B, Bm25Retriever, words
from synthmill.generators.retrieval.calibration import CalibrationSettings, calibrate
from synthmill.schemas.errors import InputError
from synthmill.sources.base import DocumentSource
from synthmill.sources.documents.chunking import Chunking
from synthmill.sources.documents.corpus import Corpus, open_corpus, titled
from synthmill.sources.documents.document import Document
from synthmill.sources.world import WorldSettings, WorldSource


class Texts(DocumentSource):
    """Documents given in memory."""

    name = "texts"

    def items(self):  # type: ignore[no-untyped-def]
        for number, text in enumerate(self.settings):
            yield Document(key=str(number), uri=f"u{number}", title=f"t{number}", text=text)

    def version(self) -> str:
        return "|".join(self.settings)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    rng = Random(3)
    vocabulary = [f"word{n}" for n in range(60)]
    texts = [" ".join(rng.choices(vocabulary, k=rng.randrange(5, 40))) for _ in range(80)]
    return open_corpus(Texts(texts), Chunking(), tmp_path)


def reference(corpus: Corpus, query: str, text: str) -> float:
    """BM25 by the book, over the score that no text can exceed."""
    passages = [words(t) for t in corpus.texts()]
    n, mean = len(passages), sum(map(len, passages)) / len(passages)
    own, score, most = words(text), 0.0, 0.0
    for term in dict.fromkeys(words(query)):
        df = sum(term in passage for passage in passages)
        idf = math.log(1 + (n - df + 0.5) / (df + 0.5))
        tf = own.count(term)
        score += idf * tf / (tf + K1 * (1 - B + B * len(own) / mean))
        most += idf
    return score / most


async def test_scores_are_those_of_the_formula(corpus: Corpus) -> None:
    retriever = Bm25Retriever(corpus)
    for query in ("word3 word7 word59", "word1 unheard", "word4 word4"):
        for hit in await retriever.search(query, 7):
            passage = corpus[hit.position]
            text = titled(passage.title, passage.text)
            assert hit.score == pytest.approx(reference(corpus, query, text), rel=1e-5)
            (same,) = await retriever.similarity(query, [text])
            assert hit.score == pytest.approx(same, rel=1e-5)


async def test_the_best_are_found_in_order(corpus: Corpus) -> None:
    retriever = Bm25Retriever(corpus)
    texts = list(corpus.texts())
    scores = [reference(corpus, "word2 word5", text) for text in texts]
    hits = await retriever.search("word2 word5", 10)
    wanted = sorted((s for s in scores if s > 0), reverse=True)[:10]
    assert [h.score for h in hits] == pytest.approx(wanted, rel=1e-5)


async def test_nothing_known_finds_nothing(corpus: Corpus) -> None:
    retriever = Bm25Retriever(corpus)
    for query in ("unheard", "", "the of and", "!!! ???", "x" * 10_000):
        assert await retriever.search(query, 5) == []


async def test_the_index_is_built_once_and_agrees_when_reopened(corpus: Corpus) -> None:
    first = await Bm25Retriever(corpus).search("word9 word1", 5)
    (folder,) = corpus.folder.glob("bm25-*")
    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert await Bm25Retriever(corpus).search("word9 word1", 5) == first
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == before


def test_names_are_found_by_their_parts_and_numbers_stay_whole() -> None:
    assert words("http.client.HTTPMessage") == ["http", "client", "httpmessage"]
    assert words("In 2018 it had 12,345 or 3.5") == ["2018", "had", "12,345", "3.5"]


@given(st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), max_size=40), st.integers(0, 50))
def test_best_is_a_stable_sort_of_what_is_above_zero(scores: list[float], k: int) -> None:
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))
    wanted = [i for i in order if scores[i] > 0][:k]
    assert [hit.position for hit in best(np.array(scores, np.float32), k)] == wanted


async def test_the_threshold_is_calibrated_recorded_and_found_again(tmp_path: Path) -> None:
    corpus = open_corpus(WorldSource(WorldSettings(size=0.5)), Chunking(), tmp_path)
    retriever = Bm25Retriever(corpus)
    found = await calibrate(corpus, retriever, CalibrationSettings())
    assert 0 < found.tau < 0.4 and found.encoder == retriever.label and found.pairs > 300
    assert found.unrelated_median is not None and found.unrelated_median < found.tau
    assert list(corpus.folder.glob("calibration-*.json"))
    assert await calibrate(corpus, retriever, CalibrationSettings()) == found
    higher = await calibrate(corpus, retriever, CalibrationSettings(quantile=0.99))
    assert higher.tau > found.tau
    fixed = await calibrate(corpus, retriever, CalibrationSettings(tau=0.8))
    assert fixed.tau == 0.8 and fixed.quantile is None


@pytest.mark.parametrize("text", ["the of a", "... !!!"])
def test_a_corpus_without_a_word_is_refused(tmp_path: Path, text: str) -> None:
    class Untitled(Texts):
        def items(self):  # type: ignore[no-untyped-def]
            yield Document(key="a", uri="u", title="", text=text)

    with pytest.raises(InputError, match="no word"):
        Bm25Retriever(open_corpus(Untitled([text]), Chunking(), tmp_path))
