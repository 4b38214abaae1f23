"""Dense retrieval by an embedding model: exact cosine, no text paid for twice, faults outlived."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthmill.generators.ragshaper.knowledge_base import open_knowledge_base
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.retrieval.dense import open_dense
from synthmill.generators.retrieval.encoders import EncoderSettings, TextEncoder, unit
from synthmill.models.errors import ModelError
from synthmill.models.registry import ModelRegistry
from synthmill.schemas.recipe import ModelSpec
from synthmill.sources.documents.chunking import Chunking
from synthmill.sources.documents.corpus import Corpus, open_corpus
from synthmill.sources.world import WorldSettings, WorldSource
from tests.generators.ragshaper.offline_context import OfflineContext
from tests.generators.resources import resources
from tests.generators.retrieval.endpoint import Embeddings, vector

pytest.importorskip("faiss")
SOURCE = WorldSource(WorldSettings(size=0.2))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return open_corpus(SOURCE, Chunking(), tmp_path / "corpora")


def registry(server: Embeddings, cache: Path | None, model: str = "hash") -> ModelRegistry:
    spec = ModelSpec(backend="openai", model=model, settings={"base_url": server.url})
    return ModelRegistry({"embedding": spec}, cache=cache)


@asynccontextmanager
async def encoder(server: Embeddings, tmp_path: Path) -> AsyncIterator[TextEncoder]:
    async with registry(server, tmp_path / "responses.sqlite") as models:
        yield TextEncoder(models.client("embedding"), EncoderSettings())


async def test_ranks_by_cosine_and_buys_nothing_twice(corpus: Corpus, tmp_path: Path) -> None:
    with Embeddings() as server:
        async with encoder(server, tmp_path) as embedding:
            retriever = await open_dense(corpus, embedding)
            query = corpus[5].text
            hits = await retriever.search(query, 6)
            texts = list(corpus.texts())
            matrix = unit(np.array([vector(t) for t in texts], np.float32))
            cosines = matrix @ unit(np.array([vector(query)], np.float32))[0]
            assert [h.score for h in hits] == pytest.approx(sorted(cosines)[::-1][:6], abs=1e-5)
            scores = await retriever.similarity(query, [texts[h.position] for h in hits])
            assert scores == pytest.approx([h.score for h in hits], abs=1e-5)
        async with encoder(server, tmp_path) as embedding:
            again = await open_dense(corpus, embedding)
            assert await again.search(query, 6) == hits
        assert max(server.texts.values()) == 1


async def test_an_interrupted_build_goes_on_where_it_was(corpus: Corpus, tmp_path: Path) -> None:
    with Embeddings() as server:
        async with encoder(server, tmp_path) as embedding:
            await embedding.encode(list(corpus.texts())[:20], "passage")
        async with encoder(server, tmp_path) as embedding:
            await open_dense(corpus, embedding)
        assert max(server.texts.values()) == 1


async def test_passing_faults_are_outlived(tmp_path: Path) -> None:
    with Embeddings([429, 500, "{}", '{"data": [{"index": 0, "embedding": [1]}]}']) as server:
        async with encoder(server, tmp_path) as embedding:
            made = await embedding.encode(["one", "two"], "passage")
    assert made.shape == (2, 256) and np.allclose(np.linalg.norm(made, axis=1), 1)


async def test_a_refusal_is_raised_at_once(tmp_path: Path) -> None:
    with Embeddings([401]) as server:
        async with encoder(server, tmp_path) as embedding:
            with pytest.raises(ModelError, match="401"):
                await embedding.encode(["one"], "query")


@pytest.mark.parametrize(
    ("model", "settings", "label"),
    [
        ("intfloat/e5-base-v2", {}, "intfloat/e5-base-v2|query: |passage: "),
        ("minilm", {"query_prefix": "Q "}, "minilm|Q |"),
        ("intfloat/e5-base-v2", {"passage_prefix": ""}, "intfloat/e5-base-v2|query: |"),
    ],
)
async def test_e5_models_get_their_prefixes(
    model: str, settings: dict[str, str], label: str
) -> None:
    with Embeddings() as server:
        async with registry(server, None, model) as models:
            client = models.client("embedding")
            assert TextEncoder(client, EncoderSettings.model_validate(settings)).label == label


async def test_ragshaper_searches_with_the_embedding_role(tmp_path: Path) -> None:
    settings = RagShaperSettings.model_validate({"retrieval": {"method": "dense"}})
    seen: list[tuple[str, int, int | None]] = []
    with Embeddings() as server:
        async with registry(server, tmp_path / "responses.sqlite") as models:
            given = replace(
                resources(tmp_path), models=models, progress=lambda *now: seen.append(now)
            )
            knowledge = await open_knowledge_base(SOURCE, settings, given)
            found = await knowledge.search(knowledge.corpus[3].text, 5)
            assert models.usage["embedding"].asked.prompt_tokens > 0
    count = len(knowledge.corpus)
    assert found[0].passage == knowledge.corpus[3] and found[0].score > knowledge.tau
    assert ("passages embedded", count, count) in seen


class Counting(OfflineContext):
    """A context that counts the texts it is asked to embed."""

    embedded = 0

    async def embed(self, texts: Sequence[str], *, role: str = "embedding") -> Any:
        self.embedded += len(texts)
        return np.array([vector(text) for text in texts], np.float32)


async def test_queries_of_a_task_are_embedded_by_its_context(
    corpus: Corpus, tmp_path: Path
) -> None:
    with Embeddings() as server:
        async with encoder(server, tmp_path) as embedding:
            retriever = await open_dense(corpus, embedding)
            found, bought = await retriever.search("a query", 3), server.texts.total()
            context = Counting()
            assert await retriever.for_task(context).search("a query", 3) == found
    assert context.embedded == 1 and server.texts.total() == bought
