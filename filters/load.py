"""From a recipe's entries to filters, in the order in which they run."""

import importlib
import pkgutil
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from synthmill.filters.base import DiversityFilter, Filter, FilterReference
from synthmill.filters.functions import filter_class
from synthmill.schemas.errors import InputError
from synthmill.schemas.plugins import available, find_plugin
from synthmill.schemas.recipe import FilterSpec
from synthmill.schemas.validation import validated

PACKAGES = ("synthmill.filters.verifiers", "synthmill.filters.diversity")
GENERATORS = "synthmill.generators"
ORDER = ("rule", "cpu", "model")


def load_filter(spec: FilterSpec, folder: Path | None = None) -> Filter:
    """The filter that a recipe's entry names, with its settings checked.

    `folder` is the recipe's, from which `./file.py:name` and `package.module:name` are looked up;
    by default the current one.

    Raises:
        InputError: there is no such filter, or a setting is unknown or out of its range.
    """
    found = filter_named(spec.name, folder)
    settings = validated(found.Settings, spec.settings, f"filter {spec.name!r}", at=("settings",))
    loaded = found(settings)
    at = (folder or Path.cwd()).resolve() if ":" in spec.name else None
    loaded.reference = FilterReference(spec.name, settings.model_dump_json(), at)
    return loaded


def load_reference(reference: FilterReference) -> Filter:
    """The filter again, in another process."""
    found = filter_named(reference.name, reference.folder)
    return found(found.Settings.model_validate_json(reference.settings))


def load_filters(
    specs: Iterable[FilterSpec],
    *,
    defaults: Iterable[FilterSpec] = (),
    folder: Path | None = None,
) -> list[tuple[FilterSpec, Filter]]:
    """The filters of a recipe, cheapest first, each beside its entry (which holds `on_error`).

    The order is rule, cpu, model, diversity; within each, the generator's `defaults` come first. An
    entry of the recipe replaces a default of the same name, or removes it with `enabled: false`.

    Raises:
        InputError: as `load_filter`; or two filters have the same name.
    """
    given = list(specs)
    kept = {spec.name: spec for spec in defaults}
    own = [spec for spec in given if spec.name not in kept]
    kept |= {spec.name: spec for spec in given if spec.name in kept}
    loaded = [(s, load_filter(s, folder)) for s in [*kept.values(), *own] if s.enabled]
    names = [found.name for _, found in loaded]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"filter {name!r} occurs {names.count(name)} times in the recipe")
    return sorted(loaded, key=lambda pair: _rank(pair[1]))


def filter_named(name: str, folder: Path | None = None) -> type[Filter]:
    """The class of the filter of this name; a function is wrapped in one.

    Raises:
        InputError: there is no such filter.
    """
    found = find_plugin(Filter, name, filter_packages(), folder=folder)
    if callable(found) and not isinstance(found, type):
        return filter_class(found)
    if not (isinstance(found, type) and issubclass(found, Filter)):
        raise InputError(f"{name!r} is neither a filter class nor a function but {found!r:.80}")
    return found


def filter_names() -> list[str]:
    """Names of all built-in and installed filters, sorted."""
    return available(Filter, filter_packages())


@cache
def filter_packages() -> tuple[str, ...]:
    """Where filters are found by bare name: here, and in `filters` of each generator's package."""
    generators = pkgutil.iter_modules(importlib.import_module(GENERATORS).__path__)
    owned = [f"{GENERATORS}.{entry.name}.filters" for entry in generators if entry.ispkg]
    return (*PACKAGES, *(package for package in owned if find_spec(package)))


def _rank(found: Filter) -> int:
    return len(ORDER) if isinstance(found, DiversityFilter) else ORDER.index(found.cost)
