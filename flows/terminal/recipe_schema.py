"""The JSON schema of recipes, with the settings of the plug-ins where they belong."""

from typing import Any

from pydantic import BaseModel

from synthmill.flows.terminal.plugins import plugins
from synthmill.schemas.recipe import Recipe

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
