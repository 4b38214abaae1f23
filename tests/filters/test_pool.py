import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from synthmill.filters.pool import MemoryLimit, TimeLimit, WorkerDied, WorkerPool
from synthmill.filters.run import judge
from tests.filters.candidates import NO_CONTEXT, make, sft
from tests.filters.judges import Misbehaving, raise_unportable, work

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(2, memory_mb=1000) as pool:
        yield pool


@pytest.mark.parametrize(
    ("what", "status", "reason"),
    [
        ("be nice", "pass", None),
        ("hang", "error", "time limit of 1 s"),
        ("hang outside Python", "error", "time limit of 1 s"),
        ("die", "error", "worker died"),
        ("eat memory", "error", "memory limit of 1000 MB"),
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


async def test_the_limit_counts_work_not_queueing(pool: WorkerPool) -> None:
    await asyncio.gather(*(pool.call(work, 0.3, time_limit=1.2) for _ in range(16)))


async def test_thousands_at_once(pool: WorkerPool) -> None:
    lengths = await asyncio.gather(*(pool.call(len, "x" * n, time_limit=2) for n in range(5000)))
    assert lengths == list(range(5000))


async def test_what_a_call_raises(pool: WorkerPool) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        await pool.call(int, "x")
    with pytest.raises(RuntimeError, match="Unportable"):
        await pool.call(raise_unportable)
    with pytest.raises(TimeLimit, match=r"time limit of 0\.5 s"):
        await pool.call(work, 30, time_limit=0.5)
    with pytest.raises(WorkerDied, match="worker died"):
        await pool.call(os._exit, 3)
    with pytest.raises(MemoryLimit, match="1000 MB"):
        await pool.call(bytearray, 2**31)
    with pytest.raises(AttributeError, match="pickle"):
        await pool.call(lambda: 1)
    assert await pool.call(len, "still here") == 10


async def test_idle_workers_killed_from_outside_are_replaced(pool: WorkerPool) -> None:
    pids = set(await asyncio.gather(*(pool.call(work, 0.1) for _ in range(8))))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    again = await asyncio.gather(*(pool.call(work, 0.1) for _ in range(8)))
    assert not pids & set(again)


async def test_what_is_queued_survives_the_loss_of_all_workers(pool: WorkerPool) -> None:
    pids = set(await asyncio.gather(*(pool.call(work, 0.1) for _ in range(8))))
    many = asyncio.gather(
        *(pool.call(len, "x" * (n % 100)) for n in range(5000)), return_exceptions=True
    )
    await asyncio.sleep(0.05)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    # A worker that died with the queue in its hands is noticed after a minute (pebble's bound).
    results = await asyncio.wait_for(many, 180)
    # Only what a worker was doing when it was killed is lost, and it says so.
    lost = [n for n, result in enumerate(results) if isinstance(result, WorkerDied)]
    assert len(lost) <= len(pids)
    assert all(result == n % 100 for n, result in enumerate(results) if n not in lost)


async def test_cancelling_kills_the_work(pool: WorkerPool) -> None:
    pid = await pool.call(work, 0)
    running = asyncio.create_task(pool.call(work, 60))
    other = asyncio.create_task(pool.call(work, 60))
    await asyncio.sleep(0.5)
    for task in (running, other):
        task.cancel()
    await asyncio.gather(running, other, return_exceptions=True)
    start = time.monotonic()
    assert await pool.call(work, 0) != pid
    assert time.monotonic() - start < 10


async def test_fast_verdicts_and_rules_start_no_process() -> None:
    pool = WorkerPool(1)
    verdict = await judge(
        make("answer_equivalence"), sft(r"\boxed{7}", answer="7.0"), NO_CONTEXT, pool
    )
    assert verdict.status == "pass"
    assert (await judge(make("length"), sft("x"), NO_CONTEXT, pool)).status == "pass"
    assert not [p for p in psutil.Process().children() if "pebble" in " ".join(p.cmdline())]
    assert pool._pool is None


async def test_closing_leaves_no_process() -> None:
    async with WorkerPool(2) as pool:
        pids = set(await asyncio.gather(*(pool.call(work, 0.1) for _ in range(4))))
        running = asyncio.create_task(pool.call(work, 60))
        await asyncio.sleep(0.2)
    with pytest.raises(WorkerDied, match="worker pool closed"):
        await asyncio.wait_for(running, 10)
    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_workers_end_with_a_killed_engine() -> None:
    script = textwrap.dedent("""
        import asyncio, os, time
        from synthmill.filters.pool import WorkerPool
        from tests.filters.judges import work

        async def main():
            pool = WorkerPool(1)
            print(await pool.call(work, 0), flush=True)
            await pool.call(work, 600)

        if __name__ == "__main__":
            asyncio.run(main())
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as engine:
        assert engine.stdout is not None
        worker = psutil.Process(int(engine.stdout.readline()))
        time.sleep(0.5)
        engine.kill()
        worker.wait(timeout=10)
