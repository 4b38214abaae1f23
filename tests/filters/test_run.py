"""Whatever a filter does, there is a verdict."""

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest

from synthmill.filters.run import judge
from synthmill.runtime.workers import WorkerPool
from tests.filters.candidates import NO_CONTEXT, make, sft
from tests.filters.judges import Misbehaving


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(2) as pool:
        yield pool


@pytest.mark.parametrize(
    ("what", "status", "reason"),
    [
        ("be nice", "pass", None),
        ("hang", "error", "time limit of 1 s"),
        ("hang outside Python", "error", "time limit of 1 s"),
        ("die", "error", "worker died"),
        ("eat memory", "error", "memory limit of 4096 MB"),
        ("raise", "error", "Unportable raised"),
        ("answer something else", "error", "TypeError raised"),
    ],
)
async def test_whatever_a_judge_does_there_is_a_verdict(
    pool: WorkerPool, what: str, status: str, reason: str | None
) -> None:
    verdict = await judge(Misbehaving(), sft("x", answer=what), NO_CONTEXT, pool)
    assert (verdict.filter, verdict.status, verdict.reason) == ("misbehaving", status, reason)
    assert (await judge(Misbehaving(), sft("x"), NO_CONTEXT, pool)).status == "pass"


async def test_bad_neighbours_harm_nobody(pool: WorkerPool) -> None:
    deeds = ["be nice", "die", "be nice", "hang", "eat memory", "raise"] * 5
    verdicts = await asyncio.gather(
        *(judge(Misbehaving(), sft("x", answer=deed), NO_CONTEXT, pool) for deed in deeds)
    )
    for deed, verdict in zip(deeds, verdicts, strict=True):
        assert (verdict.status == "pass") == (deed == "be nice"), (deed, verdict)


async def test_fast_verdicts_and_rules_start_no_process(pool: WorkerPool) -> None:
    before = psutil.Process().children()
    verdict = await judge(
        make("answer_equivalence"), sft(r"\boxed{7}", answer="7.0"), NO_CONTEXT, pool
    )
    assert verdict.status == "pass"
    assert (await judge(make("length"), sft("x"), NO_CONTEXT, pool)).status == "pass"
    assert psutil.Process().children() == before
