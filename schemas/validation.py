"""Checking what a user wrote against a model, with one clear line for the first mistake."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from synthmill.schemas.errors import InputError, nearest

M = TypeVar("M", bound=BaseModel)
Location = Sequence[int | str]


def validated(
    model: type[M],
    data: Any,
    where: str,
    line_of: Callable[[Location], int | None] = lambda location: None,
) -> M:
    """`model` made from `data`.

    Raises:
        InputError: the first mistake, in one line that begins with `where` (and the line number,
            where `line_of` knows it) and names the key, the nearest right one, or the bound.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        # A key that is not known explains a key that is missing, so it comes first.
        first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
        location = first["loc"]
        line = line_of(location)
        place = f"{where}:{line}" if line else where
        raise InputError(f"{place}: {_explain(model, location, first)}") from error


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
