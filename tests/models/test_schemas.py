"""Every JSON schema that is sent bounds what a model may write."""

import importlib
import json
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest

import synthmill.filters
import synthmill.generators
from synthmill.models.prompt import Prompt


def prompt_classes(cls: type[Prompt[Any]] = Prompt) -> Iterator[type[Prompt[Any]]]:
    for found in cls.__subclasses__():
        if found.__module__.startswith("synthmill.") and "[" not in found.__name__:
            yield found
        yield from prompt_classes(found)


def unbounded(schema: Any, path: str = "") -> Iterator[str]:
    """Places of a schema where a model could write without end."""
    if isinstance(schema, list):
        for number, part in enumerate(schema):
            yield from unbounded(part, f"{path}/{number}")
    if not isinstance(schema, dict):
        return
    if schema.get("type") == "array" and "maxItems" not in schema:
        yield f"{path}: no maxItems"
    if schema.get("type") == "string" and not schema.keys() & {"maxLength", "enum", "const"}:
        yield f"{path}: no maxLength"
    if "additionalProperties" in schema and schema["additionalProperties"] is not False:
        yield f"{path}: any property"
    for name, part in schema.items():
        yield from unbounded(part, f"{path}/{name}")


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    for package in (synthmill.generators, synthmill.filters):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            importlib.import_module(module.name)
    found = {cls.__qualname__: cls.json_schema() for cls in prompt_classes()}
    return {name: json.loads(schema) for name, schema in found.items() if schema}


def test_every_list_and_string_of_an_answer_is_bounded(schemas: dict[str, Any]) -> None:
    assert len(schemas) > 5
    assert not {name: found for name, s in schemas.items() if (found := list(unbounded(s)))}
