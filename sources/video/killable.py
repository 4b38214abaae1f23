"""Running a function on many untrusted files, each call under a time limit, results in order."""

import multiprocessing
import resource
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import TimeoutError as FutureTimeout
from typing import TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from synthmill.sources.video.container import Unusable

T = TypeVar("T")
R = TypeVar("R")

AHEAD = 4  # ours: how many calls are prepared before the first result is taken


def ordered_map(
    call: Callable[[T], R], items: Iterable[T], *, seconds: float, memory_mb: int
) -> Iterator[tuple[T, R | Unusable]]:
    """Each item with ``call(item)``, or with what stopped it, in the order of the items.

    One process does the work, a few items ahead of the reader; it is killed when an item takes
    longer than `seconds` or dies of more than `memory_mb` megabytes, and the next item gets a new
    one. `call` is a module-level function that raises `Unusable` for what it cannot use.
    """
    spawn = multiprocessing.get_context("spawn")
    with ProcessPool(1, initializer=_limit_memory, initargs=(memory_mb,), context=spawn) as pool:
        waiting: deque[tuple[T, ProcessFuture]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.schedule(call, (item,), timeout=seconds)))
                if len(waiting) > AHEAD:
                    yield _settled(*waiting.popleft(), seconds)
            while waiting:
                yield _settled(*waiting.popleft(), seconds)
        finally:
            pool.stop()


def _settled(item: T, future: ProcessFuture, seconds: float) -> "tuple[T, R | Unusable]":
    try:
        return item, future.result()
    except Unusable as error:
        return item, error.with_traceback(None)  # it would keep this call's frames alive
    except FutureTimeout:
        return item, Unusable("time limit", f"not read within {seconds:g} s")
    except ProcessExpired as error:
        return item, Unusable("reader died", f"exit code {error.exitcode}")
    except MemoryError:
        return item, Unusable("memory limit", "more memory than a reader may have")
    except Exception as error:  # whatever foreign code raises for a hostile file
        return item, Unusable("not readable", f"{type(error).__name__}: {error}"[:200])


def _limit_memory(megabytes: int) -> None:
    limit = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
