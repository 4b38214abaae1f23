"""Reading a recipe: YAML text to a checked `Recipe`, with errors that name line and key."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from synthmill.pipelines.parts import Mistakes, PartSpecs, load_parts
from synthmill.schemas.errors import InputError, Location, nearest
from synthmill.schemas.recipe import Recipe, RecipeText
from synthmill.schemas.validation import mistakes_in

SHIPPED = Path(__file__).parent / "recipes"
MAX_BYTES = 1_000_000  # a recipe is a page of text; more is a mistake or an attack


def read_recipe(where: str | Path) -> Recipe:
    """The recipe in a file, or the shipped one of that name.

    Raises:
        InputError: there is no such recipe, it is not YAML, or a key or value is wrong.
    """
    path = _find(Path(where))
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(text) > MAX_BYTES:
        raise InputError(f"{path}: a recipe is at most {MAX_BYTES:,} bytes")
    recipe = parse_recipe(text.decode("utf-8", "replace"), str(path), path.parent)
    if path.parent == SHIPPED:
        return _with_shipped_source(recipe)
    folder = path.parent / (recipe.folder or "")
    return recipe.model_copy(update={"folder": folder.resolve()})


def parse_recipe(text: str, name: str, folder: Path | None = None) -> Recipe:
    """The recipe in a YAML text; `name` stands in error messages.

    If a key or value is wrong, the plug-ins in `folder` and their settings are checked as well, so
    that all mistakes are told at once.

    Raises:
        InputError: see `read_recipe`.
    """
    try:
        node = yaml.compose(text, Loader=_Loader)
        data = _Loader(text).get_single_data()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise InputError(f"{name}{line}: not valid YAML: {_problem(error)}") from error
    if not isinstance(data, dict):
        raise InputError(
            f"{name}: a recipe is a mapping of keys; `synthmill recipe template` prints one"
        )
    written = RecipeText(name, dict(_lines(node)))
    return checked_recipe(data, written, folder)


def checked_recipe(data: Mapping[str, Any], text: RecipeText, folder: Path | None = None) -> Recipe:
    """The recipe in a mapping.

    Raises:
        InvalidData: all mistakes; those of plug-ins and their settings only beside others.
    """
    try:
        return Recipe.model_validate(data).written_in(text)
    except ValidationError as error:
        mistakes = Mistakes(mistakes_in(Recipe, error))
        load_parts(PartSpecs.of(data), folder, mistakes)
        raise mistakes.error(text) from error


def _problem(error: Exception) -> str:
    """What a scanner (`problem`) or a reader (`reason`) of YAML says, or Python about a value."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    shipped = SHIPPED / f"{path}.yaml"
    if path.parent == Path() and shipped.is_file():
        return shipped
    names = sorted(p.stem for p in SHIPPED.glob("*.yaml"))
    raise InputError(
        f"{path}: no such recipe file{nearest(str(path), names)}; shipped recipes: "
        + ", ".join(names)
    )


def _with_shipped_source(recipe: Recipe) -> Recipe:
    """The recipe with a source that comes with Synthmill, from whatever folder it is run."""
    if recipe.source is None:
        return recipe
    path = Path(recipe.source.settings.get("path", ""))
    if path == Path() or path.exists() or not (SHIPPED / path).exists():
        return recipe
    source = recipe.source.model_copy(update={"path": str(SHIPPED / path)})
    return recipe.model_copy(update={"source": source})


def _lines(node: yaml.Node | None, location: Location = ()) -> Iterator[tuple[Location, int]]:
    """The location of each key and list item, and its line from 1."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield (*location, key.value), key.start_mark.line + 1
            yield from _lines(value, (*location, key.value))
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            yield (*location, number), value.start_mark.line + 1
            yield from _lines(value, (*location, number))


class _Loader(yaml.SafeLoader):
    """YAML without objects, aliases (they can blow up memory), repeated or nested keys."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem="aliases are not allowed", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                problem = "a key is a list or a mapping"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            if key.value in seen:
                problem = f"key {key.value!r} appears twice"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)
