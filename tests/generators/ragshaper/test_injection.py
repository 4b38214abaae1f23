"""Equation 8 over random runs: when distractors come, how many, and where they stand."""

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthmill.generators.ragshaper.knowledge_base import KnowledgeBase
from synthmill.generators.ragshaper.navigation import ConstrainedRetriever
from synthmill.generators.ragshaper.records import Distractor, Injection
from synthmill.generators.ragshaper.settings import RagShaperSettings
from synthmill.generators.ragshaper.task import RagTask
from synthmill.generators.retrieval.calibration import Calibration
from tests.generators.ragshaper.offline_context import OfflineContext, knowledge_of, world_source


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpora")


async def opened(cache: Path, tau: float | None = None) -> KnowledgeBase:
    knowledge = await knowledge_of(world_source()[0], cache)
    if tau is not None:
        calibration = Calibration(encoder="fixed", corpus=knowledge.corpus.version, tau=tau)
        knowledge = KnowledgeBase(knowledge.corpus, knowledge.retriever, calibration)
    return knowledge


def pool_about(knowledge: KnowledgeBase, count: int) -> list[Distractor]:
    """Copies of passages, so that every query finds some."""
    return [
        Distractor(
            id=f"lie{number}",
            type="doppelganger",
            title=knowledge.corpus[number].title,
            text=knowledge.corpus[number].text,
            marker="",
            misleading_claim="",
            question="",
            true_answer="",
            wrong_answer="",
            fact="",
            source="",
            support=[],
            node=0,
        )
        for number in range(count)
    ]


def task(knowledge: KnowledgeBase, k: int = 5, **rule: float) -> RagTask:
    settings = {"retrieval": {"k": k}, "navigation": rule}
    return RagTask(OfflineContext(), knowledge, RagShaperSettings.model_validate(settings))


async def steps(
    knowledge: KnowledgeBase,
    pool: list[Distractor],
    count: int,
    seed: int,
    k: int = 5,
    **rule: float,
) -> list[Injection]:
    retriever = ConstrainedRetriever(task(knowledge, k, **rule), pool, Random(seed))
    titles = knowledge.corpus.titles()
    for number in range(count):
        shown, record = await retriever.search(titles[(seed + number) % len(titles)], None)
        lies = [d.text for d in pool if d.id in record.injected]
        assert sorted(shown[place].text for place in record.positions) == sorted(lies)
        assert len(shown) == len(record.passages) + len(record.injected)
    return retriever.log


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    k=st.integers(3, 8),
    probability=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    size=st.integers(0, 12),
)
async def test_the_rule_holds_at_every_step(
    cache: Path, seed: int, k: int, probability: float, size: int
) -> None:
    knowledge = await opened(cache)
    pool = pool_about(knowledge, size)
    log = await steps(knowledge, pool, 12, seed, k, probability=probability)
    for number, record in enumerate(log):
        before = log[number - 1] if number else None
        if before is None:
            assert record.case == "first"
        elif before.injected:
            assert record.case == "suppressed"
        else:
            assert record.draw is not None
            assert record.case == ("drawn" if record.draw < probability else "not drawn")
        room = k - 2 if record.case in ("first", "drawn") else k
        wanted = await knowledge.search(record.query, room)
        assert record.passages == [found.passage.id for found in wanted]
        if record.case in ("suppressed", "not drawn"):
            assert not record.injected
        else:
            documents = [(d.title, d.text) for d in pool]
            scores = await knowledge.similarities(record.query, documents)
            above = sorted((s for s in scores if s > knowledge.tau), reverse=True)[:2]
            assert len(record.injected) == len(above) <= 2
        assert len(record.positions) == len(record.injected) == len(set(record.positions))
        assert all(0 <= p < len(record.passages) + len(record.injected) for p in record.positions)
        assert not (before and before.injected and record.injected), "never twice running"


async def test_draws_come_up_with_p_e(cache: Path) -> None:
    knowledge = await opened(cache, tau=0.0)
    pool, cases = pool_about(knowledge, 0), Counter[str]()
    for seed in range(60):  # without a pool nothing is suppressed: every later step draws
        log = await steps(knowledge, pool, 20, seed)
        cases.update(record.case for record in log[1:])
    share = cases["drawn"] / (cases["drawn"] + cases["not drawn"])
    assert 0.45 < share < 0.55 and not cases["suppressed"]


async def test_positions_are_spread_and_repeat_with_the_seed(cache: Path) -> None:
    knowledge = await opened(cache, tau=0.0)
    pool = pool_about(knowledge, 8)
    places = Counter[int]()
    for seed in range(150):
        log = await steps(knowledge, pool, 6, seed)
        assert log == await steps(knowledge, pool, 6, seed)
        places.update(p for record in log for p in record.positions if len(record.passages) == 3)
    assert set(places) == {0, 1, 2, 3, 4}
    assert max(places.values()) < 1.5 * min(places.values())


async def test_tau_may_leave_fewer_than_two(cache: Path) -> None:
    knowledge = await opened(cache, tau=0.999)
    log = await steps(knowledge, pool_about(knowledge, 8), 5, 1)
    assert all(not record.injected and not record.passages for record in log)
    assert all(record.case in ("first", "drawn", "not drawn") for record in log)


async def test_a_model_cannot_ask_its_way_around_the_rule(cache: Path) -> None:
    knowledge = await opened(cache, tau=0.0)
    pool = pool_about(knowledge, 8)
    retriever = ConstrainedRetriever(task(knowledge), pool, Random(1))
    title = knowledge.corpus.titles()[0]
    shown, record = await retriever.search(title, 1)
    assert len(record.injected) == 2 and len(shown) == 3
    shown, _ = await retriever.search(title, 10_000)
    assert len(shown) <= 5
