"""Less work for the garbage collector while a run is at work."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# Ours: most objects of a call are freed by their reference counts. At Python's default of 700 the
# collector took 12 % of the processor time of calls (`benchmarks.model_calls`).
YOUNG_OBJECTS = 20_000


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect rarely, and never look at the objects that exist already; undone at the end."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
