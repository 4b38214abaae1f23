"""Worker processes that are killed at their limits, for heavy work and for untrusted input.

Each worker is a fresh interpreter with one thread of the pool in front of it: the thread sends a
call through a socket, waits no longer than the call's limit, and kills and replaces the worker
when it must. Workers share neither queue nor lock, so the loss of one costs the call it was
running and nothing else.
"""

import asyncio
import atexit
import contextlib
import os
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from synthmill.runtime.worker_process import (
    OUT_OF_MEMORY,
    OUTPUT_TOO_LARGE,
    RAISED,
    data_bytes,
)

T = TypeVar("T")
R = TypeVar("R")

START_SECONDS = 120.0  # ours: longest time that starting a worker and loading `warm` may take
STARTS = 3  # ours: attempts at starting a worker before its call fails
KEEP_MB = 512  # ours: a worker whose memory grew by more than this is replaced
CLOSED = "worker pool closed"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may use; None sets no limit. The defaults are ours.

    `seconds` is wall-clock time from the moment a worker takes up the call, and `cpu_seconds` (in
    steps of a second) processor time of all its threads. `memory_mb` is what the call may allocate
    beyond what its worker holds already, and `output_mb` the size of the pickled result.
    """

    seconds: float | None = 300.0
    memory_mb: int | None = 4096
    output_mb: int = 256
    cpu_seconds: float | None = None


class WorkerError(Exception):
    """A call was not finished; the message is a short stable phrase."""


class WorkerTimeout(WorkerError):
    """The call was killed at its time limit or its limit of processor time."""


class WorkerOutOfMemory(WorkerError):
    """The call asked for more memory than its limit."""


class WorkerCrashed(WorkerError):
    """The process ended during the call (crash, kill from outside), or the pool was closed."""


class WorkerOutputTooLarge(WorkerError):
    """The result is larger than the limit."""


class WorkerPool:
    """Up to `workers` processes, each started when there is work for it.

    `warm` are picklable functions that load libraries; every new worker calls them before its
    first call, so that loading counts against no limit. Workers ignore Ctrl-C, which is the
    program's to handle, and die with the program, also when that is killed.
    """

    def __init__(self, workers: int = 2, *, warm: Iterable[Callable[[], object]] = ()) -> None:
        self._workers = workers
        self._warm = pickle.dumps(list(warm))
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()  # guards what follows, and `_Call.worker`
        self._alive: set[_Worker] = set()
        self._closed = False

    async def run(
        self, function: Callable[..., T], *args: Any, limits: Limits = Limits(), **kwargs: Any
    ) -> T:
        """Run a module-level function in a worker. Cancelling the task kills the call.

        Raises:
            WorkerTimeout, WorkerOutOfMemory, WorkerCrashed, WorkerOutputTooLarge: the call was
                not finished (`WorkerError` all).
            Exception: whatever the function raised, or pickle for what it cannot send.
        """
        call = self._submit(function, args, kwargs, limits)
        try:
            result: T = await asyncio.wrap_future(call.future)
        except asyncio.CancelledError:
            self._kill(call)
            raise
        return result

    def run_blocking(
        self, function: Callable[..., T], *args: Any, limits: Limits = Limits(), **kwargs: Any
    ) -> T:
        """`run` for synchronous code; an interrupt kills the call."""
        call = self._submit(function, args, kwargs, limits)
        try:
            result: T = call.future.result()
        except BaseException:
            self._kill(call)
            raise
        return result

    def map(
        self, function: Callable[[T], R], items: Iterable[T], *, limits: Limits = Limits()
    ) -> Iterator[tuple[T, R | Exception]]:
        """Each item with the function's result or with what it raised, in the order of the items.

        Items are taken a few ahead of the reader. An item that exceeds a limit or crashes its
        worker costs nothing but that item.
        """
        waiting: deque[tuple[T, _Call]] = deque()

        def results(ahead: int) -> Iterator[tuple[T, R | Exception]]:
            while len(waiting) > ahead:
                item, call = waiting[0]
                error = call.future.exception()
                waiting.popleft()
                yield item, error if isinstance(error, Exception) else call.future.result()

        try:
            for item in items:
                waiting.append((item, self._submit(function, (item,), {}, limits)))
                yield from results(2 * self._workers)
            yield from results(0)
        finally:
            for _, call in waiting:
                call.future.cancel()
                self._kill(call)

    def close(self) -> None:
        """Kill the workers, for good; unfinished calls raise `WorkerCrashed`."""
        with self._lock:
            self._closed = True
            for worker in self._alive:
                worker.kill()
        with contextlib.suppress(queue.Empty):
            while True:
                call = self._calls.get_nowait()
                if call is not None and call.future.set_running_or_notify_cancel():
                    call.future.set_exception(WorkerCrashed(CLOSED))
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> "WorkerPool":
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.close)

    def _submit(
        self, function: Callable[..., Any], args: Any, kwargs: Any, limits: Limits
    ) -> "_Call":
        call = _Call(pickle.dumps((_current_folder(), function, args, kwargs)), limits)
        with self._lock:
            if self._closed:
                raise WorkerCrashed(CLOSED)
            self._calls.put(call)
            if len(self._threads) < self._workers:
                thread = threading.Thread(target=self._serve, name="worker", daemon=True)
                self._threads.append(thread)
                thread.start()
        return call

    def _kill(self, call: "_Call") -> None:
        with self._lock:
            call.unwanted = True
            if call.worker is not None:
                call.worker.kill()

    def _serve(self) -> None:
        """Run calls one after another in a worker that is replaced when it is lost."""
        worker: _Worker | None = None
        while (call := self._calls.get()) is not None:
            if not call.future.set_running_or_notify_cancel():
                continue
            settle: Callable[[Any], None] = call.future.set_result
            try:
                if worker is None or not worker.usable():
                    self._end(worker)
                    worker = self._started()
                with self._lock:
                    call.worker = worker
                    if call.unwanted:
                        worker.kill()
                outcome = worker.run(call.work, call.limits)
            except Exception as error:
                settle = call.future.set_exception
                lost = self._closed and isinstance(error, WorkerCrashed)
                # Without the traceback, which would keep what this thread holds.
                outcome = WorkerCrashed(CLOSED) if lost else error.with_traceback(None)
            with self._lock:
                call.worker = None
            settle(outcome)
            del call, outcome  # a waiting thread must not keep the last result
        self._end(worker)

    def _started(self) -> "_Worker":
        for _ in range(STARTS):
            worker = _Worker(self._warm)
            with self._lock:
                self._alive.add(worker)
                if self._closed:
                    worker.kill()
            if worker.ready():
                return worker
            self._end(worker)
        raise WorkerCrashed("worker did not start")

    def _end(self, worker: "_Worker | None") -> None:
        if worker is not None:
            with self._lock:
                self._alive.discard(worker)
            worker.end()


def _current_folder() -> str:
    """What relative paths of a call mean: the caller may have changed it since the worker began."""
    try:
        return str(Path.cwd())
    except OSError:  # it was deleted: the worker stays where it is
        return "."


@dataclass(slots=True, eq=False)
class _Call:
    """A call on its way; `worker` is set while one runs it."""

    work: bytes
    limits: Limits
    future: "Future[Any]" = field(default_factory=Future)
    worker: "_Worker | None" = None
    unwanted: bool = False


class _Worker:
    """A process at the other end of a socket."""

    def __init__(self, warm: bytes) -> None:
        ours, theirs = socket.socketpair()
        # Not multiprocessing's spawn: that runs the user's script once more in every worker.
        code = (
            f"import sys; sys.path[:] = {sys.path!r}; "
            "from synthmill.runtime.worker_process import serve; "
            f"serve({theirs.fileno()}, {os.getpid()})"
        )
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # killed with what it started; Ctrl-C does not reach it
            )
        self._connection = Connection(ours.detach())
        self._data_at_start = 0
        self._killed = False
        with contextlib.suppress(OSError):
            self._connection.send_bytes(warm)

    def ready(self) -> bool:
        """Wait until it has loaded what every call needs; False where it does not get there."""
        try:
            ready = self._connection.poll(START_SECONDS) and bool(self._connection.recv_bytes())
        except (EOFError, OSError):
            return False
        self._data_at_start = data_bytes(self._process.pid)
        return ready

    def usable(self) -> bool:
        """Whether it lives and an earlier call has not left it large."""
        grown = data_bytes(self._process.pid) - self._data_at_start
        alive = not self._killed and self._process.poll() is None
        return alive and grown <= KEEP_MB << 20

    def run(self, work: bytes, limits: Limits) -> Any:
        """The function's result; raises what `WorkerPool.run` raises."""
        bounds = limits.memory_mb, limits.cpu_seconds, limits.output_mb
        try:
            self._connection.send_bytes(pickle.dumps(bounds))
            self._connection.send_bytes(work)
            if not self._connection.poll(limits.seconds):
                self.kill()
                raise WorkerTimeout(f"time limit of {limits.seconds:g} s")
            kind = self._connection.recv_bytes()[0]
            payload = self._connection.recv_bytes()
        except (EOFError, OSError):
            self.kill()
            if self._process.wait() == -signal.SIGXCPU:
                raise WorkerTimeout(f"CPU limit of {limits.cpu_seconds:g} s") from None
            raise WorkerCrashed("worker died") from None
        if kind == OUTPUT_TOO_LARGE:
            raise WorkerOutputTooLarge(f"output larger than {limits.output_mb} MB")
        if kind == OUT_OF_MEMORY:
            self.kill()  # libraries may be left in a broken state
            raise WorkerOutOfMemory(f"memory limit of {limits.memory_mb} MB")
        value = pickle.loads(payload)
        if kind == RAISED:
            raise value
        return value

    def kill(self) -> None:
        """Kill it and what it started."""
        self._killed = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill it and free what it held."""
        self.kill()
        self._process.wait()
        self._connection.close()


@cache
def shared_pool() -> WorkerPool:
    """One worker for synchronous readers of untrusted files, kept until the program ends."""
    pool = WorkerPool(1)
    atexit.register(pool.close)
    return pool
