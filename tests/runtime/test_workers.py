import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from synthmill.runtime.workers import (
    Limits,
    WorkerCrashed,
    WorkerError,
    WorkerOutOfMemory,
    WorkerOutputTooLarge,
    WorkerPool,
    WorkerTimeout,
)
from tests.runtime import calls
from tests.runtime.calls import act, raise_unportable, work

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(2) as pool:
        yield pool


@pytest.mark.parametrize(
    ("function", "arguments", "limits", "error", "message"),
    [
        (work, [60], Limits(seconds=0.5), WorkerTimeout, "time limit of 0.5 s"),
        (calls.hang_in_c, [60], Limits(seconds=0.5), WorkerTimeout, "time limit of 0.5 s"),
        (calls.burn, [60], Limits(cpu_seconds=1), WorkerTimeout, "CPU limit of 1 s"),
        (bytearray, [2**31], Limits(memory_mb=1000), WorkerOutOfMemory, "memory limit of 1000 MB"),
        (bytes, [2**21], Limits(output_mb=1), WorkerOutputTooLarge, "output larger than 1 MB"),
        (os._exit, [3], Limits(), WorkerCrashed, "worker died"),
        (os.abort, [], Limits(), WorkerCrashed, "worker died"),
    ],
)
async def test_a_call_beyond_its_limits_is_ended_and_the_pool_goes_on(
    pool: WorkerPool, function: Any, arguments: list[Any], limits: Limits, error: Any, message: str
) -> None:
    with pytest.raises(error) as caught:
        await asyncio.wait_for(pool.run(function, *arguments, limits=limits), 20)
    assert str(caught.value) == message
    assert await pool.run(len, "still here") == 10


async def test_limits_belong_to_a_call_and_not_to_its_worker() -> None:
    async with WorkerPool(1) as pool:
        with pytest.raises(WorkerOutOfMemory):
            await pool.run(bytearray, 2**28, limits=Limits(memory_mb=100))
        assert await pool.run(len, await pool.run(bytearray, 2**27)) == 2**27
        await pool.run(calls.burn, 1.2, limits=Limits(cpu_seconds=3))
        await pool.run(calls.burn, 1.2, limits=Limits(cpu_seconds=3))
        await pool.run(calls.burn, 2.2)


async def test_what_a_call_raises(pool: WorkerPool) -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        await pool.run(int, "x")
    assert "worker process" in caught.value.__notes__[0]
    with pytest.raises(RuntimeError, match="Unportable"):
        await pool.run(raise_unportable)
    with pytest.raises(AttributeError, match="pickle"):
        await pool.run(lambda: 1)
    assert await pool.run(len, "still here") == 10


async def test_the_time_limit_counts_neither_queueing_nor_loading() -> None:
    limits = Limits(seconds=1.2)
    async with WorkerPool(2, warm=[calls.fail_to_load, calls.load_slowly]) as pool:
        await asyncio.gather(*(pool.run(work, 0.3, limits=limits) for _ in range(16)))
        assert await pool.run(calls.loaded, limits=limits) == 1


async def test_thousands_at_once(pool: WorkerPool) -> None:
    lengths = await asyncio.gather(*(pool.run(len, "x" * n) for n in range(5000)))
    assert lengths == list(range(5000))


async def test_idle_workers_killed_from_outside_are_replaced(pool: WorkerPool) -> None:
    pids = set(await asyncio.gather(*(pool.run(work, 0.1) for _ in range(8))))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    again = await asyncio.gather(*(pool.run(work, 0.1) for _ in range(8)))
    assert not pids & set(again)


async def test_what_is_queued_survives_the_loss_of_all_workers(pool: WorkerPool) -> None:
    pids = set(await asyncio.gather(*(pool.run(work, 0.1) for _ in range(8))))
    many = asyncio.gather(
        *(pool.run(len, "x" * (n % 100)) for n in range(5000)), return_exceptions=True
    )
    await asyncio.sleep(0.05)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    results = await asyncio.wait_for(many, 20)
    # Only what a worker was doing when it was killed is lost, and it says so.
    lost = [n for n, result in enumerate(results) if isinstance(result, WorkerCrashed)]
    assert len(lost) <= len(pids)
    assert all(result == n % 100 for n, result in enumerate(results) if n not in lost)


async def test_cancelling_kills_the_work(pool: WorkerPool) -> None:
    pid = await pool.run(work, 0)
    running = asyncio.create_task(pool.run(work, 60))
    other = asyncio.create_task(pool.run(work, 60))
    await asyncio.sleep(0.5)
    for task in (running, other):
        task.cancel()
    await asyncio.gather(running, other, return_exceptions=True)
    assert await asyncio.wait_for(pool.run(work, 0), 10) != pid


async def test_a_call_is_killed_with_the_processes_it_started(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHILD_FILE", str(tmp_path / "child"))
    with pytest.raises(WorkerTimeout):
        await pool.run(calls.start_child, limits=Limits(seconds=1))
    assert gone(int((tmp_path / "child").read_text()))


async def test_ctrl_c_is_left_to_the_program(pool: WorkerPool) -> None:
    pid = await pool.run(work, 0)
    running = asyncio.create_task(pool.run(work, 0.5))
    await asyncio.sleep(0.2)
    os.kill(pid, signal.SIGINT)
    assert os.getpgid(pid) != os.getpgid(0)  # a terminal's Ctrl-C does not even reach it
    assert await running


async def test_a_worker_that_has_grown_is_replaced() -> None:
    async with WorkerPool(1) as pool:
        pid = await pool.run(work, 0)
        assert await pool.run(work, 0) == pid
        await pool.run(exec, "import builtins; builtins.kept = bytearray(600 << 20)")
        assert await pool.run(work, 0) != pid


async def test_closing_leaves_no_process() -> None:
    async with WorkerPool(2) as pool:
        pids = set(await asyncio.gather(*(pool.run(work, 0.1) for _ in range(4))))
        running = [asyncio.create_task(pool.run(work, 60)) for _ in range(3)]
        await asyncio.sleep(0.2)
    for task in running:
        with pytest.raises(WorkerCrashed, match="worker pool closed"):
            await asyncio.wait_for(task, 10)
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(WorkerCrashed, match="worker pool closed"):
        await pool.run(work, 0)


def test_synchronous_code_has_the_same_limits() -> None:
    with WorkerPool(1) as pool:
        assert pool.run_blocking(len, "abc") == 3
        with pytest.raises(WorkerTimeout, match=r"time limit of 0\.5 s"):
            pool.run_blocking(work, 60, limits=Limits(seconds=0.5))


@pytest.mark.parametrize("workers", [1, 2])
def test_map_keeps_the_order_and_loses_only_bad_items(workers: int) -> None:
    deeds = ["a", "hang", "b", "die", "c", "eat memory", "d", "say too much", "e", "raise", "f"]
    limits = Limits(seconds=2, memory_mb=1000, output_mb=1)
    with WorkerPool(workers) as pool:
        results = list(pool.map(act, deeds, limits=limits))
    assert [item for item, _ in results] == deeds
    assert [str(result) for _, result in results] == [
        "done a",
        "time limit of 2 s",
        "done b",
        "worker died",
        "done c",
        "memory limit of 1000 MB",
        "done d",
        "output larger than 1 MB",
        "done e",
        "division by zero",
        "done f",
    ]
    bad = [result for _, result in results if isinstance(result, Exception)]
    assert [isinstance(error, WorkerError) for error in bad] == [True, True, True, True, False]


def test_map_takes_only_a_few_items_ahead_and_may_be_left() -> None:
    taken = 0

    def items() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield "a"

    with WorkerPool(2) as pool:
        results = pool.map(act, items())
        assert [next(results)[1] for _ in range(3)] == ["done a"] * 3
        results.close()  # type: ignore[attr-defined]
        assert taken < 12
        assert pool.run_blocking(act, "b") == "done b"


@pytest.mark.parametrize("hang", ["work", "hang_in_c"])
def test_workers_die_with_a_killed_program(hang: str) -> None:
    script = textwrap.dedent(f"""
        import asyncio
        from synthmill.runtime.workers import WorkerPool
        from tests.runtime.calls import hang_in_c, work

        pool = WorkerPool(2)  # no guard for __main__: a worker does not run the script again

        async def main():
            print(await pool.run(work, 0), flush=True)
            await asyncio.gather(*(pool.run({hang}, 600) for _ in range(2)))

        asyncio.run(main())
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        program.stdout.readline()
        time.sleep(1)
        workers = psutil.Process(program.pid).children(recursive=True)
        assert len(workers) == 2
        program.kill()
    psutil.wait_procs(workers, timeout=10)
    assert not any(worker.is_running() for worker in workers)


def test_a_script_needs_no_main_guard(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from synthmill.runtime.workers import WorkerPool\n"
        "print('once')\n"
        "with WorkerPool(1) as pool:\n"
        "    print(pool.run_blocking(len, 'abc'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    out = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=environment, timeout=60
    )
    assert (out.stdout, out.stderr) == ("once\n3\n", "")


def gone(pid: int) -> bool:
    """Whether a process ends within a few seconds."""
    for _ in range(50):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.1)
    return False


async def test_relative_paths_mean_the_folder_of_the_caller(
    pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in workers that were started before the program changed its folder."""
    await pool.run(os.getcwd)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert await pool.run(os.getcwd) == str(tmp_path / name)
