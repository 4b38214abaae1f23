"""A hard end for work on hostile input, inside a worker process."""

import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def killed_after(seconds: float) -> Iterator[None]:
    """The kernel ends this process if the block takes longer than `seconds`.

    A decoder that hangs never comes back to Python, so no exception could stop it; the pool
    replaces the process and tells who waited. Outside of a worker process nothing happens.
    """
    if multiprocessing.parent_process() is None:
        yield
        return
    before = signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
