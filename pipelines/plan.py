"""From a recipe to the parts that run it, every setting checked before anything is spent."""

from dataclasses import dataclass
from pathlib import Path

from synthmill.filters.base import DiversityFilter, ModelVerifier, Verifier
from synthmill.filters.load import load_filters
from synthmill.generators.base import Generator
from synthmill.schemas.errors import InputError
from synthmill.schemas.plugins import load_plugin
from synthmill.schemas.recipe import FilterSpec, Recipe
from synthmill.schemas.validation import validated
from synthmill.sources.base import Source
from synthmill.store.home import dataset_name

GENERATORS = ("synthmill.generators",)
SOURCES = ("synthmill.sources",)


@dataclass(frozen=True, slots=True)
class Stage:
    """A filter at work, and what the recipe wants when it cannot decide."""

    filter: Verifier | ModelVerifier
    spec: FilterSpec


@dataclass(frozen=True, slots=True)
class DiversityStage:
    """A diversity filter at work, and what the recipe wants when it cannot decide."""

    filter: DiversityFilter
    spec: FilterSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe with its generator, its source and its filters in the order they look.

    Verifiers come first, cheap before dear; diversity filters last, since they need the order
    of rows.
    """

    recipe: Recipe
    generator: Generator
    source: Source
    verifiers: tuple[Stage, ...]
    diversity: tuple[DiversityStage, ...]


def check_source(source: Source) -> str:
    """What the source says of itself, once it is known to be readable.

    Raises:
        InputError: it is not; where a relative path leads nowhere, it says where it began.
    """
    try:
        return source.check()
    except InputError as error:
        path = getattr(source.settings, "path", None)
        if not isinstance(path, Path) or path.is_absolute() or path.exists():
            raise
        raise InputError(f"{error} (relative paths begin here: {Path.cwd()})") from error


def make_plan(recipe: Recipe) -> Plan:
    """The plan of a recipe.

    Raises:
        InputError: a plug-in is not there, a setting is wrong, source and generator do not fit, or
            dataset or seed are none that the catalog can hold.
    """
    dataset_name(recipe.output.dataset)
    if not -(2**63) <= recipe.seed < 2**63:
        raise InputError(f"seed {recipe.seed} is out of bounds: it must fit into 64 bits")
    # The loader wants a class to compare with; that it is abstract does not matter to it.
    name, origin = recipe.generator.name, recipe.source.type
    generator_class: type[Generator]
    generator_class = load_plugin(Generator, name, GENERATORS, "generator")  # type: ignore[type-abstract]
    source_class: type[Source] = load_plugin(Source, origin, SOURCES)  # type: ignore[type-abstract]
    if not issubclass(source_class.item, generator_class.item):
        raise InputError(
            f"generator {name!r} works on {generator_class.item.__name__} items, "
            f"source {origin!r} yields {source_class.item.__name__}"
        )
    settings = validated(generator_class.Settings, recipe.generator.settings, "generator.settings")
    source = validated(source_class.Settings, recipe.source.settings, "source")
    filters = load_filters(recipe.filters)
    return Plan(
        recipe=recipe,
        generator=generator_class(settings),
        source=source_class(source),
        verifiers=tuple(
            Stage(f, spec) for spec, f in filters if isinstance(f, Verifier | ModelVerifier)
        ),
        diversity=tuple(
            DiversityStage(f, spec) for spec, f in filters if isinstance(f, DiversityFilter)
        ),
    )
