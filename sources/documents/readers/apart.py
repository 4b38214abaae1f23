"""Reading what may be hostile in a process of its own, which is killed at its limits."""

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache
from typing import TypeVar

from pebble import ProcessExpired, ProcessPool

from synthmill.sources.documents.readers.common import Unreadable

T = TypeVar("T")


def read_apart(
    form: str, read: Callable[..., T], *given: object, seconds: float, memory_mb: int
) -> T:
    """What ``read(*given)`` returns; `read` is a module-level function, `form` what it reads.

    Raises:
        Unreadable: it raised, took more than `seconds` or `memory_mb` megabytes, or crashed.
    """
    future = _process(memory_mb).schedule(read, given, timeout=seconds)
    try:
        found: T = future.result()
    except FutureTimeout:
        raise Unreadable(f"{form} took too long", f"more than {seconds:g} s") from None
    except (ProcessExpired, MemoryError):
        detail = "the process died or ran out of memory"
        raise Unreadable(f"{form} broke its reader", detail) from None
    except Exception as error:
        raise Unreadable(f"unreadable {form}", f"{type(error).__name__}: {error}") from error
    return found


@cache
def _process(memory_mb: int) -> ProcessPool:
    """One worker, kept for the next file; spawned, since a fork of a threaded process may hang."""
    return ProcessPool(
        max_workers=1,
        initializer=_bound,
        initargs=(memory_mb,),
        context=multiprocessing.get_context("spawn"),
    )


def _bound(memory_mb: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (memory_mb << 20, memory_mb << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
