"""A quiet end of a process that has run a flow."""

import atexit
import os
from functools import cache


@cache
def hush_at_exit() -> None:
    """Drop what is written to stderr while the interpreter shuts down.

    Prefect's threads outlive it with references to everything a flow has imported, which makes
    DuckDB's binding print pages about leaked types behind the last word of the program.
    """
    atexit.register(_drop_stderr)


def _drop_stderr() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
