"""The loop of a worker process: receive a call, run it under its limits, send back the result.

`workers.WorkerPool` starts it. This file imports little, because every worker pays for it.
"""

import contextlib
import ctypes
import io
import math
import os
import pickle
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

PR_SET_PDEATHSIG = 1  # from <linux/prctl.h>

# What a reply holds: the pickled result, a pickled exception, or nothing but the limit exceeded.
RESULT, RAISED, OUT_OF_MEMORY, OUTPUT_TOO_LARGE = range(4)


def serve(descriptor: int, parent: int) -> None:
    """Answer calls that arrive on a socket until it is closed; started as a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(parent)
    os.dup2(2, 1)  # what a library prints must not mix with the output of the program
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError):
        # Loading is retried by the call that needs it, and its error is reported there.
        with contextlib.suppress(Exception):
            for load in pickle.loads(connection.recv_bytes()):
                with contextlib.suppress(Exception):
                    load()
        connection.send_bytes(b"ready")
        while True:
            limits = pickle.loads(connection.recv_bytes())
            kind, payload = _run(connection.recv_bytes(), *limits)
            connection.send_bytes(bytes([kind]))
            connection.send_bytes(payload)


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends, even in the middle of C code."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before it could be watched
        os._exit(1)


def _run(
    work: bytes, memory_mb: int | None, cpu_seconds: float | None, output_mb: int
) -> tuple[int, bytes]:
    try:
        with _limited(memory_mb, cpu_seconds):
            folder, function, args, kwargs = pickle.loads(work)
            with contextlib.suppress(OSError):
                os.chdir(folder)
            output = _BoundedBuffer(output_mb << 20)
            pickle.dump(function(*args, **kwargs), output, pickle.HIGHEST_PROTOCOL)
            return RESULT, output.getvalue()
    except _TooLarge:
        return OUTPUT_TOO_LARGE, b""
    except MemoryError:
        return OUT_OF_MEMORY, b""
    except Exception as error:
        return RAISED, _portable(error)


@contextlib.contextmanager
def _limited(memory_mb: int | None, cpu_seconds: float | None) -> Any:
    """Limit the data that a block may allocate beyond what is there, and its processor time."""
    if memory_mb is not None:
        # Data, not address space: threads and allocators reserve far more than they ever touch.
        _set_soft(resource.RLIMIT_DATA, data_bytes(os.getpid()) + (memory_mb << 20))
    if cpu_seconds is not None:
        _set_soft(resource.RLIMIT_CPU, math.ceil(time.process_time() + cpu_seconds))
    try:
        yield
    finally:
        _set_soft(resource.RLIMIT_DATA, resource.RLIM_INFINITY)
        _set_soft(resource.RLIMIT_CPU, resource.RLIM_INFINITY)


def _set_soft(which: int, limit: int) -> None:
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        limit = hard if limit == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(which, (limit, hard))


def data_bytes(pid: int) -> int:
    """The private writable memory of a process, which RLIMIT_DATA counts; 0 where unknown."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - pathlib is slow to import
            return int(file.read().split()[5]) * resource.getpagesize()
    except OSError:
        return 0


class _TooLarge(Exception):
    pass


class _BoundedBuffer(io.BytesIO):
    """Memory for a pickle that refuses more than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = limit

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > self._limit:
            raise _TooLarge
        return super().write(data)


def _portable(error: Exception) -> bytes:
    """The pickled exception, or one with the same text where pickle cannot restore it."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    if last is not None:
        place = f"{last.tb_frame.f_code.co_filename}:{last.tb_lineno}"
        error.add_note(f"raised in a worker process, {place}")
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
        return data
    except Exception:
        return pickle.dumps(RuntimeError(f"{type(error).__name__}: {error}"))
