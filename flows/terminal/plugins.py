"""The plug-ins of each family, their settings, and the JSON schema of recipes with them."""

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel

from synthmill.filters.base import Filter
from synthmill.filters.load import filter_packages
from synthmill.generators.base import Generator
from synthmill.models.backend import BACKENDS, Backend
from synthmill.pipelines.parts import GENERATORS, SOURCES
from synthmill.schemas.errors import InputError
from synthmill.schemas.plugins import available, load_plugin
from synthmill.schemas.recipe import Recipe
from synthmill.sources.base import Source
from synthmill.store.exports.base import PACKAGES as EXPORTERS
from synthmill.store.exports.base import Exporter


class Family(NamedTuple):
    """A kind of plug-in and where the built-in ones live."""

    kind: type[Any]
    packages: tuple[str, ...]
    module: str = ""


FAMILIES = {
    "generators": Family(Generator, GENERATORS, "generator"),
    "sources": Family(Source, SOURCES),
    "filters": Family(Filter, filter_packages()),
    "backends": Family(Backend, BACKENDS),
    "exporters": Family(Exporter, EXPORTERS),
}


class PlugIn(NamedTuple):
    """A plug-in, or why it cannot be loaded (an extra is not installed)."""

    name: str
    found: type[Any] | None
    summary: str


def plugins(family: str) -> Iterator[PlugIn]:
    """The built-in and installed plug-ins of a family, by name."""
    kind, packages, module = FAMILIES[family]
    for name in available(kind, packages, module):
        try:
            found = load_plugin(kind, name, packages, module)
        except (ImportError, InputError) as error:
            yield PlugIn(name, None, f"cannot be loaded: {error}")
        else:
            yield PlugIn(name, found, summary_of(found))


def plugin(family: str, name: str) -> type[Any]:
    """One plug-in of a family.

    Raises:
        InputError: there is no such plug-in.
    """
    kind, packages, module = FAMILIES[family]
    return load_plugin(kind, name, packages, module)


def summary_of(found: type[Any]) -> str:
    """The first line of a class's docstring."""
    return (inspect.getdoc(found) or "").partition("\n")[0]


def settings_of(found: type[Any]) -> list[tuple[str, str, str]]:
    """Name, default and description of each setting."""
    return [
        (name, "required" if field.is_required() else _default(field), field.description or "")
        for name, field in found.Settings.model_fields.items()
    ]


def _default(field: Any) -> str:
    value = field.get_default(call_default_factory=True)
    return "" if value is None else str(value)


# Where a plug-in is named in the schema: definition, key of its name, key of its settings.
PLACES = {
    "generators": ("GeneratorSpec", "name", "settings"),
    "filters": ("FilterSpec", "name", "settings"),
    "backends": ("ModelSpec", "backend", "settings"),
    "sources": ("SourceSpec", "type", None),  # settings stand beside the type
}


def recipe_schema() -> dict[str, Any]:
    """The schema: `Recipe`, and for each plug-in that can be loaded what its settings may be."""
    schema = Recipe.model_json_schema()
    definitions = schema["$defs"]
    for family, (definition, key, settings_key) in PLACES.items():
        rules = definitions[definition].setdefault("allOf", [])
        for plugin in plugins(family):
            if plugin.found is not None:
                settings = _settings(definitions, family, plugin.name, plugin.found.Settings)
                rules.append(_rule(key, plugin.name, settings_key, settings))
    return schema


def _settings(
    definitions: dict[str, Any], family: str, name: str, model: type[BaseModel]
) -> dict[str, Any]:
    """The settings' schema, its own definitions moved to where all are."""
    prefix = f"{family}.{name}."
    own = model.model_json_schema(ref_template=f"#/$defs/{prefix}{{model}}")
    definitions.update({prefix + key: value for key, value in own.pop("$defs", {}).items()})
    return own


def _rule(
    key: str, name: str, settings_key: str | None, settings: dict[str, Any]
) -> dict[str, Any]:
    then: dict[str, Any]
    if settings_key is None:
        fields = {**settings.get("properties", {}), key: {"const": name}}
        then = {**settings, "properties": fields}
    else:
        then = {"properties": {settings_key: settings}}
    return {"if": {"properties": {key: {"const": name}}, "required": [key]}, "then": then}
