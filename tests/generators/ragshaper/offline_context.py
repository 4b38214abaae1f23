"""A context without an engine, a knowledge base and a small generated world, for tests."""

import asyncio
import tempfile
from copy import copy
from pathlib import Path
from random import Random
from typing import Any

from synthmill.filters.load import load_filters
from synthmill.generators.base import Judged
from synthmill.generators.ragshaper.generator import RagShaper
from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase
from synthmill.generators.retrieval.bm25 import Bm25Retriever
from synthmill.generators.retrieval.calibration import CalibrationSettings, calibrate
from synthmill.models.completion import Completion
from synthmill.models.offline import offline_answer
from synthmill.models.prompt import Prompt, Reply
from synthmill.pipelines.judging import verify
from synthmill.pipelines.plan import Stage
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.row import Candidate
from synthmill.sources.documents.chunking import Chunking
from synthmill.sources.documents.corpus import open_corpus
from synthmill.sources.documents.world import World, sample_world
from synthmill.sources.world import WorldSettings, WorldSource

STAGES = [
    Stage(found, spec) for spec, found in load_filters([], defaults=RagShaper.default_filters)
]
NO_WORKERS: Any = None  # none of these filters runs in one


class OfflineContext:
    """A `generators.base.Context` that answers by the prompts' own rules, or as told.

    `answers` maps a prompt's name to a function of the prompt; what it returns is the text.
    """

    def __init__(self, seed: int = 0, answers: dict[str, Any] | None = None) -> None:
        self.seed = seed
        self.answers = answers or {}
        self.asked: list[tuple[str, str]] = []
        self.prompts: list[Prompt[Any]] = []
        self.scope = ""

    def scoped(self, prefix: str) -> Any:
        scoped = copy(self)
        scoped.scope = f"{self.scope}{prefix}/"
        return scoped

    @property
    def scratch(self) -> Path:
        return Path(tempfile.gettempdir())

    def rng(self, purpose: str) -> Random:
        return Random(keyed_seed(self.seed, self.scope + purpose))

    async def generate(self, prompt: Prompt[Any], *, purpose: str, **more: Any) -> Any:
        (reply,) = await self.sample(prompt, 1, purpose=purpose, **more)
        return reply

    async def sample(self, prompt: Prompt[Any], n: int, *, purpose: str, **_: Any) -> list[Any]:
        await asyncio.sleep(0)
        name = prompt.prompt_name()
        self.asked.append((name, self.scope + purpose))
        self.prompts.append(prompt)
        assert prompt.messages()  # the template renders
        replies = []
        for index in range(n):
            given = self.answers.get(name)
            rng = Random(keyed_seed(self.seed, self.scope + purpose, index))
            text = given(prompt) if given else offline_answer(prompt, rng)
            completion = text if isinstance(text, Completion) else Completion(text=text)
            replies.append(Reply.parsed(prompt, completion, "rules"))
        return replies

    async def verify(self, candidate: Candidate) -> Judged:
        """By the generator's default filters, as the engine does."""
        return await verify(candidate, STAGES, self.scoped("verify"), NO_WORKERS)

    async def embed(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def write_media(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError

    async def run_in_worker(self, call: Any, *args: Any, **kwargs: Any) -> Any:
        return call(*args, **kwargs)


async def knowledge_of(source: Any, cache: Path) -> KnowledgeBase:
    """A knowledge base over a source's documents."""
    corpus = open_corpus(source, Chunking(), cache)
    retriever = Bm25Retriever(corpus)
    return KnowledgeBase(
        corpus, retriever, await calibrate(corpus, retriever, CalibrationSettings())
    )


def world_source(seed: int = 7, size: float = 1.0) -> tuple[WorldSource, World]:
    """A generated world as a source, and its truth."""
    return WorldSource(WorldSettings(seed=seed, size=size)), sample_world(seed, size)
