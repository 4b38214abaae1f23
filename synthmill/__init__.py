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
    from synthmill.filters.base import DiversityFilter, ModelVerifier, Verifier
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
    from synthmill.generators.base import Context, FeedbackGenerator, Generator, Task
    from synthmill.models.offline import answers
    from synthmill.models.prompt import Prompt
    from synthmill.schemas.base import Record, Settings
    from synthmill.schemas.errors import InputError
    from synthmill.schemas.lineage import SourceRef
    from synthmill.schemas.messages import assistant, user
    from synthmill.schemas.recipe import FilterSpec, Recipe
    from synthmill.schemas.report import RunReport
    from synthmill.schemas.row import Candidate, Row
    from synthmill.sources.base import Problem, Source
    from synthmill.store.exports.base import Exporter
    from synthmill.store.snapshot import DatasetSnapshot

__all__ = [
    "Candidate",
    "Context",
    "DatasetSnapshot",
    "DiversityFilter",
    "Exporter",
    "FeedbackGenerator",
    "FilterSpec",
    "Generator",
    "InputError",
    "ModelVerifier",
    "Problem",
    "Prompt",
    "Recipe",
    "Record",
    "Row",
    "RunReport",
    "Settings",
    "Source",
    "SourceRef",
    "Task",
    "Verifier",
    "answers",
    "assistant",
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
    "user",
]

_MODULES = {
    "Candidate": "synthmill.schemas.row",
    "Context": "synthmill.generators.base",
    "DatasetSnapshot": "synthmill.store.snapshot",
    "DiversityFilter": "synthmill.filters.base",
    "Exporter": "synthmill.store.exports.base",
    "FeedbackGenerator": "synthmill.generators.base",
    "FilterSpec": "synthmill.schemas.recipe",
    "Generator": "synthmill.generators.base",
    "InputError": "synthmill.schemas.errors",
    "ModelVerifier": "synthmill.filters.base",
    "Problem": "synthmill.sources.base",
    "Prompt": "synthmill.models.prompt",
    "Recipe": "synthmill.schemas.recipe",
    "Record": "synthmill.schemas.base",
    "Row": "synthmill.schemas.row",
    "RunReport": "synthmill.schemas.report",
    "Settings": "synthmill.schemas.base",
    "Source": "synthmill.sources.base",
    "SourceRef": "synthmill.schemas.lineage",
    "Task": "synthmill.generators.base",
    "Verifier": "synthmill.filters.base",
    "answers": "synthmill.models.offline",
    "assistant": "synthmill.schemas.messages",
    "filter": "synthmill.filters.functions",
    "user": "synthmill.schemas.messages",
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
