"""From a recipe to the parts that run it, every setting checked before anything is spent."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from synthmill.filters.base import DiversityFilter, Filter, ModelVerifier, Verifier
from synthmill.generators.base import FeedbackGenerator, Generator
from synthmill.models.backend import backend_settings, model_identity
from synthmill.models.prices import price_of
from synthmill.pipelines.parts import Mistakes, PartSpecs, load_parts
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.plugins import explained
from synthmill.schemas.recipe import FilterSpec, Recipe
from synthmill.schemas.targets import ROWS, Targets
from synthmill.sources.base import Source
from synthmill.store.home import dataset_name

HASH_VERSION = 2

Verifying = Verifier | ModelVerifier
F = TypeVar("F", bound=Filter, covariant=True)


@dataclass(frozen=True, slots=True)
class Stage(Generic[F]):
    """A filter, and what the recipe says of it (`on_error`)."""

    filter: F
    spec: FilterSpec


@dataclass(frozen=True, slots=True)
class Plan:
    """A recipe with its generator, its source and its filters in the order in which they run.

    Verifiers come first, cheap ones before expensive ones; diversity filters last, since they need
    the order of rows. `recipe_hash` names what decides the rows.
    """

    recipe: Recipe
    recipe_hash: str
    generator: Generator[Any]
    source: Source
    verifiers: tuple[Stage[Verifying], ...]
    diversity: tuple[Stage[DiversityFilter], ...]


def make_plan(recipe: Recipe) -> Plan:
    """The plan of a recipe; in the plan's recipe, the type of the source is known.

    Raises:
        InvalidData: plug-ins that do not exist, wrong settings, source and generator that do not
            fit, a dataset's name or a seed that the catalog cannot hold, a budget in dollars for
            models without a price; all of them at once.
    """
    mistakes = Mistakes()
    with mistakes.at("output", "dataset"):
        dataset_name(recipe.output.dataset)
    with mistakes.at("seed"):
        if not -(2**63) <= recipe.seed < 2**63:
            raise InputError(f"seed {recipe.seed} is out of bounds: it must fit into 64 bits")
    specs = PartSpecs(
        recipe.generator,
        recipe.source,
        recipe.models,
        recipe.filters,
        has_source=recipe.source is not None,
    )
    parts = load_parts(specs, recipe.folder, mistakes)
    if not mistakes.found:
        _check_prices(recipe, mistakes)
    generator, source, filters = parts.generator, parts.source, parts.filters
    if generator is not None:
        with mistakes.at("target"):
            _check_kinds(recipe, generator)
    if mistakes.found or generator is None or source is None:
        raise mistakes.error(recipe.text)
    recipe = recipe.model_copy(update={"source": parts.source_spec})
    return Plan(
        recipe=recipe,
        recipe_hash=_hash(recipe, generator, [spec for spec, _ in filters]),
        generator=generator,
        source=source,
        verifiers=tuple(
            Stage(found, spec) for spec, found in filters if isinstance(found, Verifying)
        ),
        diversity=tuple(
            Stage(found, spec) for spec, found in filters if isinstance(found, DiversityFilter)
        ),
    )


def _check_kinds(recipe: Recipe, generator: Generator[Any]) -> None:
    """A target of a kind that never comes would keep a run going to the end of its source."""
    wanted = [kind for kind, rows in Targets(recipe.target).limits.items() if rows and kind != ROWS]
    never = [kind for kind in wanted if generator.kinds and kind not in generator.kinds]
    if never:
        raise InputError(
            f"generator {recipe.generator.name!r} makes no rows of kind "
            f"{', '.join(never)} with these settings, only {', '.join(generator.kinds)}"
        )


def _check_prices(recipe: Recipe, mistakes: Mistakes) -> None:
    """A budget in dollars would never end a run of models without a price."""
    if recipe.budget.dollars is None:
        return
    for role, spec in recipe.models.items():
        with mistakes.at("models", role):
            backend, _ = backend_settings(role, spec)
            if price_of(spec, local=backend.local) is None:
                raise InputError(
                    f"budget.dollars: no price is known of {spec.model!r}: give "
                    f"models.{role}.price (dollars per million tokens)"
                )


def check_source(source: Source) -> str:
    """What the source says of itself, once it is known to be readable.

    Raises:
        InputError: it is not; where a relative path leads nowhere, it says where it begins.
    """
    try:
        return source.check()
    except InputError as error:
        path = getattr(source.settings, "path", None)
        if not isinstance(path, Path) or path.is_absolute() or path.exists():
            raise
        begins = dict.fromkeys((Path.cwd(), source.folder or Path.cwd()))
        folders = " and ".join(map(str, begins))
        raise InputError(f"{error} (relative paths begin here: {folders})") from error
    except Exception as error:
        if type(source).__module__.startswith("synthmill."):
            raise  # a defect, where in the code of a user it is for the user to mend
        raise InputError(f"source {source.name!r}: {explained(error)}") from error


def _hash(recipe: Recipe, generator: Generator[Any], specs: list[FilterSpec]) -> str:
    """Hash of what decides the rows, with the version of this rule in front.

    Left out, because they change when or where a run works and not what it makes: the recipe's
    name, target, budget and engine settings, the dataset's name (its splits count), how a model is
    reached and what it costs. A back end declares which of its settings change its output.
    """
    feedback = isinstance(generator, FeedbackGenerator)
    kept: dict[str, Any] = {
        "recipe": recipe.recipe,
        "seed": recipe.seed,
        "source": recipe.source and {"type": recipe.source.type, **recipe.source.settings},
        "generator": recipe.generator.model_dump(
            mode="json", exclude=None if feedback else {"feedback_lag", "continue_state"}
        ),
        "models": {role: model_identity(role, spec) for role, spec in recipe.models.items()},
        "filters": [spec.model_dump(mode="json") for spec in specs],
        "splits": recipe.output.splits,
    }
    return f"{HASH_VERSION}-{sha256_text(canonical_json(kept))[:16]}"
