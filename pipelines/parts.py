"""The plug-ins that a recipe names, loaded and checked; all mistakes are collected."""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from synthmill.filters.base import Filter
from synthmill.filters.load import load_filter, load_filters
from synthmill.generators.base import FeedbackGenerator, Generator
from synthmill.models.backend import backend_settings
from synthmill.schemas.errors import InputError, InvalidData, Mistake, nearest
from synthmill.schemas.plugins import available, load_plugin
from synthmill.schemas.recipe import (
    BY_PATH,
    FilterSpec,
    GeneratorSpec,
    ModelSpec,
    RecipeText,
    SourceSpec,
)
from synthmill.schemas.validation import validated
from synthmill.sources.base import NoSource, Source

GENERATORS = ("synthmill.generators",)
SOURCES = ("synthmill.sources",)
OWN = re.compile(r"[\w./-]+:\w+")  # a plug-in of the user: ./file.py:Name, package.module:Name

M = TypeVar("M", bound=BaseModel)


@dataclass(slots=True)
class Mistakes:
    """Collects the mistakes of a recipe, so that they are told together."""

    found: list[Mistake] = field(default_factory=list)

    @contextmanager
    def at(self, *location: int | str) -> Iterator[None]:
        """Collect what the block raises, as mistakes at this location."""
        try:
            yield
        except InvalidData as error:
            for mistake in error.mistakes:
                place = (*location, *mistake.location)
                self.found.append(Mistake(place, f"{error.where}: {mistake.text}"))
        except InputError as error:
            self.found.append(Mistake(location, str(error)))

    def error(self, text: RecipeText) -> InvalidData:
        """The error that tells all mistakes of a recipe, in the order of its lines."""
        found = sorted(self.found, key=lambda mistake: text.line(mistake.location))
        return InvalidData(found, text.name, text.place)


@dataclass(frozen=True, slots=True)
class PartSpecs:
    """The plug-ins as a recipe names them; what is not even well-formed is None."""

    generator: GeneratorSpec | None
    source: SourceSpec | None
    models: Mapping[str, ModelSpec | None]
    filters: Sequence[FilterSpec | None]
    has_source: bool

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "PartSpecs":
        """The plug-ins in the data of a recipe that may have mistakes elsewhere."""
        models, filters = data.get("models"), data.get("filters")
        roles = models.items() if isinstance(models, dict) else ()
        return cls(
            generator=_spec(GeneratorSpec, data.get("generator")),
            source=_spec(SourceSpec, data.get("source")),
            models={str(role): _spec(ModelSpec, spec) for role, spec in roles},
            filters=[
                _spec(FilterSpec, spec) for spec in (filters if isinstance(filters, list) else ())
            ],
            has_source=data.get("source") is not None,
        )


@dataclass(slots=True)
class Parts:
    """The plug-ins of a recipe; without mistakes, generator and source are there.

    `source_spec` names the source's type also where the recipe gives only a path. `complete` says
    whether all filters could be loaded; only then they are in order, the defaults among them.
    """

    generator: Generator[Any] | None = None
    source: Source | None = None
    source_spec: SourceSpec | None = None
    filters: list[tuple[FilterSpec, Filter]] = field(default_factory=list)
    complete: bool = False


def load_parts(specs: PartSpecs, folder: Path | None, mistakes: Mistakes) -> Parts:
    """Load and check every plug-in; `folder` is the recipe's."""
    parts = Parts()
    if specs.generator is not None:
        with mistakes.at("generator"):
            parts.generator = _generator(specs.generator, folder)
    if specs.source is not None:
        with mistakes.at("source"):
            _load_source(parts, specs.source, folder)
    elif parts.generator is not None and parts.generator.item is None:
        parts.source = NoSource()
    elif parts.generator is not None and not specs.has_source:
        text = f"'source' is missing: generator {parts.generator.name!r} needs one"
        mistakes.found.append(Mistake(("source",), text))
    for role, spec in specs.models.items():
        if spec is not None:
            with mistakes.at("models", role):
                backend_settings(role, spec)
    _load_filters(parts, specs, folder, mistakes)
    _check_roles(parts, specs, mistakes)
    return parts


def _generator(spec: GeneratorSpec, folder: Path | None) -> Generator[Any]:
    # The loader needs a class to compare with; that it is abstract does not matter to it.
    found: type[Generator[Any]]
    found = load_plugin(Generator, spec.name, GENERATORS, "generator", folder)  # type: ignore[type-abstract]
    if inspect.iscoroutinefunction(found.generate) or inspect.isgeneratorfunction(found.generate):
        raise InputError(
            f"generator {spec.name!r}: `generate` is not `async def` with `yield`: it yields "
            "candidates, and may await calls"
        )
    settings = validated(found.Settings, spec.settings, "generator.settings", at=("settings",))
    if issubclass(found, FeedbackGenerator):
        return found(settings, lag=spec.feedback_lag)
    if spec.continue_state:
        raise InputError(f"generator.continue_state: generator {spec.name!r} has no state")
    return found(settings)


def _load_source(parts: Parts, spec: SourceSpec, folder: Path | None) -> None:
    generator = parts.generator
    if generator is not None and generator.item is None:
        raise InputError(f"generator {generator.name!r} needs no source: remove it")
    item = (generator and generator.item) or object
    if spec.type == BY_PATH:
        spec = _typed(spec, item, folder)
    found: type[Source] = load_plugin(Source, spec.type, SOURCES, folder=folder)  # type: ignore[type-abstract]
    if generator is not None and not issubclass(found.item, item):
        raise InputError(
            f"generator {generator.name!r} works on {item.__name__} items, "
            f"source {spec.type!r} yields {found.item.__name__}"
        )
    settings = validated(found.Settings, spec.settings, "source")
    if isinstance(path := getattr(settings, "path", None), str | Path):
        settings = settings.model_copy(update={"path": type(path)(located(path, folder))})
    parts.source = found(settings)
    parts.source.folder = folder
    parts.source_spec = spec


def located(path: str | Path, folder: Path | None) -> Path:
    """Where a path of a source leads: from the current folder, else from the recipe's."""
    beside = (folder or Path()) / path
    return beside if not Path(path).exists() and beside.exists() else Path(path)


def _typed(spec: SourceSpec, item: type, folder: Path | None) -> SourceSpec:
    """The source with the type that its path is, for a generator that works on `item`."""
    given = spec.settings.get("path")
    if not isinstance(given, str):
        raise InputError("source: give `type`, or `path` alone")
    path, names = located(given, folder), available(Source, SOURCES)
    if not path.exists() and (given in names or OWN.fullmatch(given)):
        return SourceSpec(type=given)
    fitting: list[str] = []
    for name in names:
        found: type[Source] = load_plugin(Source, name, SOURCES)  # type: ignore[type-abstract]
        if issubclass(found.item, item):
            fitting.append(name)
            if found.reads(path):
                return SourceSpec.model_validate({**spec.settings, "type": name})
    missing = "" if path.exists() else f"no such file or folder in {Path.cwd()}, and "
    raise InputError(
        f"source {given!r}: {missing}no source of {item.__name__} items is known by such a path"
        f"{nearest(given, names)}; give `type`: {', '.join(fitting) or './file.py:Name'}"
    )


def _load_filters(parts: Parts, specs: PartSpecs, folder: Path | None, mistakes: Mistakes) -> None:
    before = len(mistakes.found)
    for number, spec in enumerate(specs.filters):
        if spec is not None:
            with mistakes.at("filters", number):
                parts.filters.append((spec, load_filter(spec, folder)))
    given = [spec for spec in specs.filters if spec is not None]
    parts.complete = len(mistakes.found) == before and len(given) == len(specs.filters)
    if parts.complete:
        with mistakes.at("filters"):
            defaults = parts.generator.default_filters if parts.generator else ()
            parts.filters = load_filters(given, defaults=defaults, folder=folder)


def _check_roles(parts: Parts, specs: PartSpecs, mistakes: Mistakes) -> None:
    """A role that no part asks is a misspelled one.

    Where parts could not be loaded that may ask it, it must resemble a known one.
    """
    asked = parts.generator.roles if parts.generator else ()
    if asked is None:
        return
    judges = {role for _, f in parts.filters if (role := getattr(f.settings, "role", None))}
    known = sorted({*asked, *judges, "default"})
    complete = parts.complete and parts.generator is not None
    for role in specs.models:
        meant = nearest(role, known)
        if role not in known and (complete or meant):
            text = f"no part of the recipe asks a model {role!r}{meant}"
            mistakes.found.append(Mistake(("models", role), f"{text}; roles: {', '.join(known)}"))


def _spec(model: type[M], data: Any) -> M | None:
    """The data as a model, without the keys that the model does not have."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        unknown = {e["loc"][0] for e in error.errors() if e["type"] == "extra_forbidden"}
        if not unknown or not isinstance(data, dict):
            return None
        return _spec(model, {key: value for key, value in data.items() if key not in unknown})
