"""From the recipe's words to filters, in the order in which they run."""

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from synthmill.filters.base import DiversityFilter, Filter
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.plugins import available, load_plugin
from synthmill.schemas.recipe import FilterSpec

PACKAGES = ("synthmill.filters.verifiers", "synthmill.filters.diversity")


def load_filter(spec: FilterSpec) -> Filter:
    """The filter that a recipe's entry names, with its settings checked.

    Raises:
        InputError: there is no such filter, or a setting is unknown or out of its range.
    """
    # The loader wants a class to compare with; that this one is abstract does not matter to it.
    found: type[Filter] = load_plugin(Filter, spec.name, PACKAGES)  # type: ignore[type-abstract]
    return found(_settings(spec.name, found, spec.settings))


def load_filters(specs: Iterable[FilterSpec]) -> list[tuple[FilterSpec, Filter]]:
    """The filters of a recipe, cheapest first, each beside its entry (which holds `on_error`).

    Rules come before `cpu` filters and those before diversity; equals keep the recipe's order.

    Raises:
        InputError: as `load_filter`; or two filters share a name, which no report could tell apart.
    """
    loaded = [(spec, load_filter(spec)) for spec in specs]
    names = [found.name for _, found in loaded]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"filter {name!r} stands {names.count(name)} times in the recipe")
    return sorted(loaded, key=lambda pair: _rank(pair[1]))


def filter_names() -> list[str]:
    """Names of all built-in and installed filters, sorted."""
    return available(Filter, PACKAGES)


def _rank(found: Filter) -> int:
    if isinstance(found, DiversityFilter):
        return 2
    return 1 if found.cost == "cpu" else 0


def _settings(name: str, found: type[Filter], given: dict[str, Any]) -> Any:
    known = list(found.Settings.model_fields)
    for key in given:
        if key not in known:
            raise InputError(
                f"filter {name!r} has no setting {key!r}{nearest(key, known)}; "
                f"known: {', '.join(known) or 'none'}"
            )
    try:
        return found.Settings.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "settings"
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(
            f"filter {name!r}, setting {where!r}: {message} (given: {first['input']!r})"
        ) from error
