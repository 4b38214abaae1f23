"""Checking what a user wrote against a model: a mistake is one clear line, and all are told."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from synthmill.schemas.errors import InvalidData, Location, Mistake, closest, nearest

M = TypeVar("M", bound=BaseModel)


def validated(
    model: type[M],
    data: Any,
    where: str,
    *,
    at: Location = (),
    place: Callable[[Location], str] | None = None,
) -> M:
    """`model` made from `data`, which is called `where`, and lies at `at` in a larger text.

    Raises:
        InvalidData: all mistakes; each line begins with `where`, or with the `place` of its
            location, and names the key, the nearest right one, or the bound.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        found = mistakes_in(model, error, at)
        raise InvalidData(found, where, place) from error


def mistakes_in(model: type[BaseModel], error: ValidationError, at: Location = ()) -> list[Mistake]:
    """All mistakes that pydantic found; `at` comes before their locations.

    A misspelled key is also a missing one; only the misspelling is reported.
    """
    errors = error.errors()
    misspelled = {
        (*e["loc"][:-1], suggested)
        for e in errors
        if e["type"] == "extra_forbidden"
        and (suggested := closest(str(e["loc"][-1]), _siblings(model, e["loc"])))
    }
    return [
        Mistake((*at, *e["loc"]), _explain(model, e["loc"], e))
        for e in errors
        if not (e["type"] == "missing" and tuple(e["loc"]) in misspelled)
    ]


def _explain(model: type[BaseModel], location: Location, error: Any) -> str:
    key = ".".join(str(part) for part in location) or "settings"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}{nearest(str(location[-1]), _siblings(model, location))}"
    if error["type"] == "missing":
        return f"{key!r} is missing"
    given = error.get("input")
    shown = f" (given: {given!r:.60})" if isinstance(given, str | int | float | bool) else ""
    if error["type"] == "model_type":
        return f"{key!r} must be a mapping of keys to values{shown}"
    return f"{key!r}: {error['msg'].removeprefix('Value error, ')}{shown}"


def _siblings(model: type[BaseModel], location: Location) -> Iterable[str]:
    """The keys that are allowed where `location` ends."""
    fields = model.model_fields
    for part in location[:-1]:
        inner = _model_of(fields[str(part)].annotation) if part in fields else None
        if inner is not None:
            fields = inner.model_fields
    return fields.keys()


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_of(part) for part in getattr(annotation, "__args__", ()))
    return next((model for model in found if model), None)
