"""Recipes by path, name or mapping, with changes from the command line, a deployment or Python."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from synthmill.pipelines.load import SHIPPED, checked_recipe, read_recipe
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe, RecipeText

MAX_DEPTH = 50  # ours: parts of a key; a recipe is nested four deep

FILE_TYPES = {".jsonl": "jsonl", ".csv": "csv", ".parquet": "parquet"}

RecipeLike = Recipe | Mapping[str, Any] | str | Path


def load_recipe(recipe: RecipeLike, changes: Mapping[str, Any] | None = None) -> Recipe:
    """A recipe given as a file, the name of a shipped recipe, a mapping or a `Recipe`.

    Args:
        recipe: what is loaded.
        changes: values by `key.path`, such as `{"engine.concurrency": 8}`.

    Raises:
        InputError: the recipe or a change cannot be used.
    """
    if isinstance(recipe, str | Path):
        loaded = read_recipe(recipe)
    elif isinstance(recipe, Recipe):
        loaded = recipe
    else:
        loaded = checked_recipe(recipe, RecipeText("recipe"))
    if not changes:
        return loaded
    data: Any = loaded.model_dump(exclude_unset=True)
    for path, value in changes.items():
        data = _with(data, path.split("."), value, path)
    if "source.path" in changes and "source.type" not in changes:
        data = {**data, "source": _for_its_path(data["source"])}
    text = replace(loaded.text, changed=tuple(tuple(path.split(".")) for path in changes))
    return checked_recipe(data, text, loaded.folder)


def _for_its_path(source: Mapping[str, Any]) -> Mapping[str, Any]:
    """A source with another path: a file of problems of another type is read as what it is."""
    fits = FILE_TYPES.get(Path(str(source["path"])).suffix.lower())
    if fits is None or source.get("type") not in (*FILE_TYPES.values(), "folder"):
        return source
    return {**source, "type": fits}


def changed_recipe(where: str, changes: Sequence[str]) -> Recipe:
    """The recipe in a file, or the shipped one of that name, with `key.path=value` changes made.

    Values are read as YAML, so that `3` is a number, `[a, b]` a list and `null` nothing.

    Raises:
        InputError: the recipe or a change cannot be used.
    """
    return load_recipe(where, dict(map(_parsed, changes)))


def _parsed(change: str) -> tuple[str, Any]:
    """Key and value of a `key.path=value` change."""
    path, sign, text = change.partition("=")
    parts = path.split(".")
    if not sign or not all(parts) or len(parts) > MAX_DEPTH:
        raise InputError(f"{change!r} is not KEY.PATH=VALUE, such as engine.concurrency=8")
    # A path stays text, also when it looks like a number or contains a colon.
    if path == "source.path":
        return path, text
    try:
        return path, yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # of a date in month 13, say
        raise InputError(f"{change!r}: the value is not valid YAML; put it in quotes") from error


def _with(data: Any, path: Sequence[str], value: Any, change: str) -> Any:
    """A copy of `data` with the value at `path`; mappings on the way are made where missing."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(data, list):
        if key not in map(str, range(len(data))):
            raise InputError(f"{change!r}: the list there has items 0 to {len(data) - 1}")
        inner = _with(data[int(key)], rest, value, change)
        return [inner if place == int(key) else item for place, item in enumerate(data)]
    if data is not None and not isinstance(data, dict):
        raise InputError(f"{change!r}: {key!r} cannot be set inside {data!r:.40}")
    old = data or {}
    return {**old, key: _with(old.get(key), rest, value, change)}


def shipped_recipes() -> list[tuple[str, str, str]]:
    """Name, dataset and generator of each shipped recipe."""
    recipes = [read_recipe(path) for path in sorted(SHIPPED.glob("*.yaml"))]
    return [(r.name, r.output.dataset, r.generator.name) for r in recipes]


def settings_of(changes: Sequence[str]) -> dict[str, Any]:
    """Settings given as `key=value` on the command line.

    Raises:
        InputError: one is not of that form.
    """
    settings: Any = {}
    for path, value in map(_parsed, changes):
        settings = _with(settings, path.split("."), value, path)
    return settings
