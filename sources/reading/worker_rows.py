"""Rows of untrusted binary files, read a batch at a time in a worker process with limits."""

import itertools
import pickle
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from synthmill.runtime.workers import Limits, shared_pool

T = TypeVar("T")

BATCH_ROWS = 512
BATCH_SECONDS = 0.5  # ours: a slow stream hands over what it has
KEPT = 4  # ours: readers that a worker keeps open

# In a worker: open readers by call, each with the number of rows it has given.
_readers: dict[bytes, tuple[int, Iterator[Any]]] = {}


def rows_in_worker(
    read: Callable[..., Iterator[T]], *arguments: Any, memory_mb: int, seconds: float = 300.0
) -> Iterator[T]:
    """The rows of ``read(*arguments)``, a module-level function, read in a worker.

    The reader stays open between batches. Where its worker was replaced meanwhile, it is opened
    again and the rows that were given are skipped. The limits are those of one batch.

    Raises:
        WorkerError: a batch exceeded a limit or crashed the worker.
        Exception: whatever `read` raised.
    """
    limits = Limits(seconds=seconds, memory_mb=memory_mb)
    start = 0
    while True:
        batch = shared_pool().run_blocking(_batch, read, arguments, start, limits=limits)
        if not batch:
            return
        yield from batch
        start += len(batch)


def cut(record: dict[str, Any], most_chars: int) -> dict[str, Any]:
    """The record with texts cut to one character more than is allowed, which shows as too long."""
    return {
        key: value[: most_chars + 1] if isinstance(value, str) else value
        for key, value in record.items()
    }


def _batch(read: Callable[..., Iterator[T]], arguments: tuple[Any, ...], start: int) -> list[T]:
    call = pickle.dumps((read, arguments))
    given, rows = _readers.pop(call, (-1, iter(())))
    if given != start:
        rows = read(*arguments)
        next(itertools.islice(rows, start, start), None)  # skips `start` rows
    batch: list[T] = []
    until = time.monotonic() + BATCH_SECONDS
    for row in itertools.islice(rows, BATCH_ROWS):
        batch.append(row)
        if time.monotonic() > until:
            break
    if batch:
        while len(_readers) >= KEPT:
            del _readers[next(iter(_readers))]
        _readers[call] = start + len(batch), rows
    return batch
