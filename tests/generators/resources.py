"""What `Generator.prepare` gets in tests: a cache folder, and neither models nor workers."""

from pathlib import Path
from typing import Any

from synthmill.generators.base import Resources
from synthmill.models.registry import ModelRegistry
from synthmill.runtime.workers import WorkerPool


def resources(cache: Path) -> Resources:
    def write_media(*_: Any) -> Any:
        raise NotImplementedError

    models = ModelRegistry({}, cache=None)
    return Resources(models, WorkerPool(), cache, write_media, lambda message, done, total: None)
