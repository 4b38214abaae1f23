"""The start of the command line: pyarrow without pandas, and memory limits that are too small."""

import resource
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from synthmill.schemas.errors import InputError


def import_pyarrow_without_pandas() -> None:
    """When pyarrow is imported, keep it from importing pandas at its first `pa.array`.

    pyarrow looks for pandas once and remembers the result; the import costs a third of the time of
    a one-row run. `to_pandas` tries again, and other modules import pandas as usual. Only for the
    command line: in a user's program `pa.array` would no longer recognize a pandas series.
    """
    if "pyarrow" not in sys.modules:
        sys.meta_path.insert(0, _PyarrowFinder())


class _PyarrowFinder(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "pyarrow":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_and_probe(module: ModuleType) -> None:
                load(module)
                if "pandas" not in sys.modules:
                    _probe(module)

            spec.loader.exec_module = load_and_probe  # type: ignore[method-assign]
        return spec


class _WithoutPandas(MetaPathFinder):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name == "pandas":
            raise ImportError("pandas is not used here")


def _probe(pyarrow: ModuleType) -> None:
    finder = _WithoutPandas()
    sys.meta_path.insert(0, finder)
    try:
        pyarrow.array([])
    finally:
        sys.meta_path.remove(finder)


# Ours: below these a run cannot load its libraries, and Python waits for ever for a thread that
# could not be started.
SMALLEST = {
    resource.RLIMIT_DATA: ("ulimit -d", 2**30),
    resource.RLIMIT_AS: ("ulimit -v", 4 * 10**9),
}


def check_memory_limits() -> None:
    """Raises InputError where the process may use too little memory to work at all."""
    for which, (command, least) in SMALLEST.items():
        limit = resource.getrlimit(which)[0]
        if limit != resource.RLIM_INFINITY and limit < least:
            raise InputError(
                f"`{command}` allows {limit >> 20:,} MB of memory, at least {least >> 20:,} MB are "
                "needed: raise it"
            )
