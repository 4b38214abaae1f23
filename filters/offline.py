"""Offline rules for the prompts of filters: a generator's own rules can read its documents."""

import importlib
import pkgutil
from importlib.util import find_spec

GENERATORS = "synthmill.generators"

for _entry in pkgutil.iter_modules(importlib.import_module(GENERATORS).__path__):
    _rules = f"{GENERATORS}.{_entry.name}.offline"
    if _entry.ispkg and find_spec(_rules):
        importlib.import_module(_rules)
