"""Synthmill: a synthetic training-data factory.

The public Python API. `import synthmill` loads nothing else: each name below is imported when it is
first used.

    import synthmill

    report = synthmill.run("cotevol-demo", target=20)
    rows = synthmill.open_dataset(report.dataset).to_arrow()

The subpackages (`synthmill.rewards`, `synthmill.filters`, ...) are the rooms of the project; what
is not listed in `__all__` here may change between versions.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthmill import rewards
    from synthmill.filters.functions import filter
    from synthmill.flows.api import (
        connect,
        export,
        open_dataset,
        preview,
        preview_async,
        resume,
        run,
        run_async,
    )
    from synthmill.flows.dataset_api import (
        copy_dataset,
        drop_dataset,
        merge_datasets,
        refilter,
        rename_dataset,
    )
    from synthmill.schemas.errors import InputError
    from synthmill.schemas.recipe import Recipe
    from synthmill.schemas.report import RunReport
    from synthmill.schemas.row import Candidate, Row
    from synthmill.store.snapshot import DatasetSnapshot

__all__ = [
    "Candidate",
    "DatasetSnapshot",
    "InputError",
    "Recipe",
    "Row",
    "RunReport",
    "connect",
    "copy_dataset",
    "drop_dataset",
    "export",
    "filter",
    "merge_datasets",
    "open_dataset",
    "preview",
    "preview_async",
    "refilter",
    "rename_dataset",
    "resume",
    "rewards",
    "run",
    "run_async",
]

_MODULES = {
    "Candidate": "synthmill.schemas.row",
    "DatasetSnapshot": "synthmill.store.snapshot",
    "InputError": "synthmill.schemas.errors",
    "Recipe": "synthmill.schemas.recipe",
    "Row": "synthmill.schemas.row",
    "RunReport": "synthmill.schemas.report",
    "filter": "synthmill.filters.functions",
} | dict.fromkeys(
    ("copy_dataset", "drop_dataset", "merge_datasets", "refilter", "rename_dataset"),
    "synthmill.flows.dataset_api",
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'synthmill' has no attribute {name!r}")
    if name == "rewards":
        return importlib.import_module("synthmill.rewards")
    value = getattr(importlib.import_module(_MODULES.get(name, "synthmill.flows.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
