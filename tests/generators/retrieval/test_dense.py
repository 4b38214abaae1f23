"""Dense retrieval over an endpoint: exact cosine, no text paid for twice, faults outlived."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from synthmill.generators.retrieval.dense import open_dense
from synthmill.generators.retrieval.encoders import (
    EndpointEncoder,
    EndpointSettings,
    LocalSettings,
    make_encoder,
    prefixes,
    unit,
)
from synthmill.generators.retrieval.vectors import CachedEncoder
from synthmill.schemas.errors import InputError
from synthmill.sources.documents.chunking import Chunking
from synthmill.sources.documents.corpus import Corpus, open_corpus
from synthmill.sources.world import WorldSettings, WorldSource
from tests.generators.retrieval.endpoint import Embeddings, vector

pytest.importorskip("faiss")


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return open_corpus(WorldSource(WorldSettings(size=0.2)), Chunking(), tmp_path / "corpora")


def encoder(server: Embeddings, tmp_path: Path, model: str = "hash") -> CachedEncoder:
    settings = EndpointSettings(base_url=server.url, model=model, batch=16)
    return CachedEncoder(EndpointEncoder(settings), tmp_path / "vectors.sqlite")


async def test_ranks_by_cosine_and_buys_nothing_twice(corpus: Corpus, tmp_path: Path) -> None:
    with Embeddings() as server:
        retriever = await open_dense(corpus, encoder(server, tmp_path))
        query = corpus[5].text
        hits = await retriever.search(query, 6)
        texts = list(corpus.texts())
        matrix = unit(np.array([vector(t) for t in texts], np.float32))
        cosines = matrix @ unit(np.array([vector(query)], np.float32))[0]
        assert [h.score for h in hits] == pytest.approx(sorted(cosines)[::-1][:6], abs=1e-5)
        scores = await retriever.similarity(query, [texts[h.position] for h in hits])
        assert scores == pytest.approx([h.score for h in hits], abs=1e-5)
        again = await open_dense(corpus, encoder(server, tmp_path))
        assert await again.search(query, 6) == hits
        assert max(server.texts.values()) == 1


async def test_an_interrupted_build_goes_on_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    with Embeddings() as server:
        held = encoder(server, tmp_path)
        await held.encode(list(corpus.texts())[:20], "passage")
        await open_dense(corpus, encoder(server, tmp_path))
        assert max(server.texts.values()) == 1


async def test_passing_faults_are_outlived(corpus: Corpus, tmp_path: Path) -> None:
    with Embeddings([429, 500, "{}", '{"data": [{"index": 0, "embedding": [1]}]}']) as server:
        made = await encoder(server, tmp_path).encode(["one", "two"], "passage")
        assert made.shape == (2, 256) and np.allclose(np.linalg.norm(made, axis=1), 1)


async def test_a_refusal_is_told_at_once(tmp_path: Path) -> None:
    with Embeddings([401]) as server, pytest.raises(InputError, match="refused: 401"):
        await encoder(server, tmp_path).encode(["one"], "query")
    settings = EndpointSettings(base_url="http://127.0.0.1:9/v1", model="m", api_key_env="NO_KEY")
    with pytest.raises(InputError, match="NO_KEY is not set"):
        await EndpointEncoder(settings).encode(["one"], "query")


def test_e5_models_get_their_prefixes() -> None:
    e5 = EndpointSettings(base_url="x", model="intfloat/e5-base-v2")
    assert prefixes(e5) == {"query": "query: ", "passage": "passage: "}
    plain = EndpointSettings(base_url="x", model="minilm", query_prefix="Q ")
    assert prefixes(plain) == {"query": "Q ", "passage": ""}
    assert make_encoder(plain).label == "minilm|Q |"


async def test_a_local_model_without_its_extra_says_so() -> None:
    if find_spec("sentence_transformers"):
        pytest.skip("the extra 'embeddings' is installed")
    settings = LocalSettings(kind="sentence_transformers", model="any")
    with pytest.raises(InputError, match=r"synthmill\[embeddings\]"):
        await make_encoder(settings).encode(["x"], "query")
