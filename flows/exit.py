"""A quiet end of a process that has run a flow."""

import atexit
import os
from functools import cache


@cache
def hush_at_exit() -> None:
    """Drop what is written to stderr while the interpreter shuts down.

    What Prefect keeps alive until then makes DuckDB's binding print a page about leaked types
    behind the last word of the program.
    """
    atexit.register(_drop_stderr)


def _drop_stderr() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
