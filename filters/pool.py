"""Killable worker processes for work that keeps a processor busy, under a hard time limit.

A worker that hangs is killed, one that dies is replaced, and whoever waited is told which of both
it was. The limit counts from the moment a worker takes the work up: time in the queue is free.
"""

import asyncio
import contextlib
import multiprocessing
import os
import pickle
import resource
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import Any, ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

P = ParamSpec("P")
T = TypeVar("T")

# Ours: enough for sympy's worst and for a page of video frames, and little enough that two workers
# leave room on a small machine.
MEMORY_MB = 4096
# Ours: how often work is handed to a new set of workers after the old one broke down as a whole.
ATTEMPTS = 3
CLOSED = "worker pool closed"


class WorkerError(Exception):
    """The work was not finished, for no fault of its own; the message is a short phrase."""


class TimeLimit(WorkerError):
    """The work was killed because it took longer than it may."""


class WorkerDied(WorkerError):
    """The worker process ended in the middle of the work (crash, killed from outside)."""


class MemoryLimit(WorkerError):
    """The work asked for more memory than a worker may have."""


class WorkerPool:
    """`workers` processes, started at the first use, each with `memory_mb` megabytes of data.

    `warm` are calls that every worker makes before it takes up work (to load libraries). Workers
    are spawned, not forked: the engine's threads and Delta's runtime do not survive a fork. They
    ignore Ctrl-C, which is the engine's to handle, and end when the engine's process is gone.
    """

    def __init__(
        self,
        workers: int = 2,
        *,
        memory_mb: int | None = MEMORY_MB,
        warm: Iterable[Callable[[], None]] = (),
    ) -> None:
        self._workers = workers
        self._memory_mb = memory_mb
        self._warm = pickle.dumps(list(warm))
        self._pool: ProcessPool | None = None
        self._waiting: set[Future[bytes]] = set()
        self._closed = False

    async def call(
        self,
        function: Callable[..., T],
        *args: Any,
        time_limit: float | None = None,
        **kwargs: Any,
    ) -> T:
        """Run a module-level function in a worker and return what it returns.

        `time_limit` is in seconds of work; None sets no limit. Cancelling the call kills the work.

        Raises:
            TimeLimit, WorkerDied, MemoryLimit: the work was not finished (`WorkerError` all).
            Exception: whatever the function raised.
        """
        work = pickle.dumps((function, args, kwargs))
        for _ in range(ATTEMPTS):
            pool = self._running()
            try:
                answer = await asyncio.wrap_future(self._schedule(pool, work, time_limit))
            except (BrokenProcessPool, RuntimeError):
                if self._closed:
                    raise WorkerDied(CLOSED) from None
                # An idle worker was killed from outside, and with it the pool: start another.
                self._discard(pool, BrokenProcessPool())
            except FutureTimeout:
                raise TimeLimit(f"time limit of {time_limit:g} s") from None
            except ProcessExpired:
                raise WorkerDied(CLOSED if self._closed else "worker died") from None
            else:
                return self._unpack(answer)
        raise WorkerDied("worker died")

    def close(self) -> None:
        """Kill the workers, for good; who still waits for work gets `WorkerDied`."""
        self._closed = True
        if self._pool is not None:
            self._discard(self._pool, WorkerDied(CLOSED))

    async def __aenter__(self) -> "WorkerPool":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def _running(self) -> ProcessPool:
        if self._pool is None:
            self._pool = ProcessPool(
                max_workers=self._workers,
                initializer=_start,
                initargs=(self._memory_mb, self._warm),
                context=multiprocessing.get_context("spawn"),
            )
        return self._pool

    def _schedule(self, pool: ProcessPool, work: bytes, limit: float | None) -> Future[bytes]:
        future: Future[bytes] = pool.schedule(_run, (work,), timeout=limit)
        self._waiting.add(future)
        future.add_done_callback(self._waiting.discard)
        return future

    def _discard(self, pool: ProcessPool, error: Exception) -> None:
        if self._pool is not pool:
            return  # of all who meet the broken pool, one clears it away
        self._pool = None
        pool.stop()
        pool.join()
        # Pebble forgets what it had not handed to a worker yet; nobody shall wait for ever.
        for future in list(self._waiting):
            if not future.done():
                future.set_exception(error)

    def _unpack(self, answer: bytes) -> Any:
        finished, value = pickle.loads(answer)
        if finished:
            return value
        if isinstance(value, MemoryError):
            raise MemoryLimit(f"memory limit of {self._memory_mb} MB")
        raise value


def _start(memory_mb: int | None, warm: bytes) -> None:
    """Prepare a new worker; it must not raise, or the pool would start workers for ever."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(Exception):  # what fails to load fails again, and is told, in judge
        for load in pickle.loads(warm):
            load()
    if memory_mb is not None:
        # Data, not address space: threads and allocators reserve far more than they ever touch.
        limit = memory_mb * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _run(work: bytes) -> bytes:
    """Run pickled work; everything is (un)pickled here, where a failure harms this work alone."""
    try:
        function, args, kwargs = pickle.loads(work)
        return pickle.dumps((True, function(*args, **kwargs)))
    except Exception as error:
        return pickle.dumps((False, _portable(error)))


def _portable(error: Exception) -> Exception:
    """The exception itself where it survives the journey, else one that says the same."""
    try:
        return pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
