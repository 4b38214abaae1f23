"""Is everything there that a recipe needs? Found out before anything is spent."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from synthmill.filters.base import Filter, ModelVerifier
from synthmill.generators.base import FeedbackGenerator
from synthmill.models.errors import ModelError
from synthmill.models.forms import USUAL_FORMS, Form
from synthmill.models.registry import ModelRegistry
from synthmill.pipelines.checkpoint import Checkpoint
from synthmill.pipelines.plan import Plan, check_source, make_plan
from synthmill.pipelines.run_store import earlier_run
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.targets import Targets, accepted
from synthmill.sources.base import NoSource
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

COUNT_SECONDS = 5.0  # ours: longest time to count a source
GIVE_UP_AFTER = 10.0  # seconds that a check waits for a server that fails
ENOUGH_DISK = 2**30  # bytes; ours: a run that ends for want of disk is worse than a warning


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it will do, and what was seen or what would be right."""

    what: str
    ok: bool
    detail: str


async def check(recipe: Recipe, home: Home) -> AsyncIterator[Finding]:
    """Check the recipe, its source, target, models, filters and disk; one finding each.

    If the recipe itself is wrong, there is a finding for each of its mistakes, and no other.
    """
    try:
        plan = make_plan(recipe)
    except InputError as error:
        for line in error.lines:
            yield Finding("recipe", False, line)
        return
    yield Finding("recipe", True, f"{recipe.name}: {plan.generator.label}, hash {plan.recipe_hash}")
    looks: dict[str, Callable[[], Awaitable[str]]] = {
        "source": lambda: asyncio.to_thread(check_source, plan.source),
        "target": lambda: asyncio.to_thread(_target, plan, home),
        "models": lambda: _models(plan),
        "filters": lambda: asyncio.to_thread(_filters, plan),
        "disk": lambda: asyncio.to_thread(_disk, plan, home),
    }
    for what, look in looks.items():
        try:
            yield Finding(what, True, await look())
        except (InputError, ModelError) as error:
            yield Finding(what, False, str(error))


def _target(plan: Plan, home: Home) -> str:
    """Whether the source has enough items for the target.

    Raises:
        InputError: it has not, even if every candidate is accepted.
    """
    limits = {name: rows for name, rows in Targets(plan.recipe.target).limits.items() if rows}
    if not limits:
        return "none: a run ends with the source or the budget"
    wanted = ", ".join(f"{rows} {name}" for name, rows in limits.items())
    if isinstance(plan.generator, FeedbackGenerator) or isinstance(plan.source, NoSource):
        return f"{wanted}; no source bounds them"
    size, most = plan.source.size(COUNT_SECONDS), plan.generator.rows_per_task
    if size is None:
        return f"{wanted}; the items of the source were not counted"
    used = _used(plan, home)
    items = f"{size} items" + (f", {used} of them used by earlier runs" if used else "")
    if most is None:
        return f"{wanted} from {items}; the generator does not say how many an item gives"
    left = max(0, size - used)
    each = ", ".join(f"{count} {kind}" for kind, count in most.items())
    said = f"the source has {items}, and an item gives at most {each}"
    by_kind = {str(kind): count for kind, count in most.items()}
    possible = {name: left * accepted(by_kind, name) for name in limits}
    short = [f"{rows} {name}" for name, rows in limits.items() if rows > possible[name]]
    if short:
        bounds = ", ".join(f"{rows} {name}" for name, rows in possible.items())
        raise InputError(
            f"{', '.join(short)} cannot be made: {said}: {bounds} in all; "
            "lower `target`, or add items"
        )
    return f"{wanted}; {said}, before any is rejected"


def _used(plan: Plan, home: Home) -> int:
    """How many items earlier runs of this recipe have used: a new run begins behind them."""
    name = plan.recipe.output.dataset
    if name not in home.dataset_names():
        return 0
    earlier = earlier_run(plan, Dataset.open(home, name))
    return Checkpoint.model_validate_json(earlier.checkpoint).task if earlier else 0


async def _models(plan: Plan) -> str:
    """One small call of each form that the generator and the filters need."""
    specs, asked = plan.recipe.models, _calls(plan)
    async with ModelRegistry(specs, cache=None, give_up_after_seconds=GIVE_UP_AFTER) as models:
        return "; ".join(await models.check(asked)) or "none needed"


def _calls(plan: Plan) -> dict[str, set[Form]]:
    """The roles that are asked, and the forms of their calls; of one's own generator the usual."""
    asked: dict[str, set[Form]] = {}
    roles = plan.generator.roles
    if roles is None:
        roles = {
            role: ("embedding",) if role == "embedding" else USUAL_FORMS
            for role in plan.recipe.models
        }
    judges = [stage.filter for stage in plan.verifiers if isinstance(stage.filter, ModelVerifier)]
    of_filters = [(getattr(judge.settings, "role", "default"), judge.forms) for judge in judges]
    for role, forms in (*roles.items(), *of_filters):
        asked.setdefault(role, set()).update(forms)
    return asked


def _filters(plan: Plan) -> str:
    filters: list[Filter] = [stage.filter for stage in plan.verifiers]
    filters += [stage.filter for stage in plan.diversity]
    for found in filters:
        found.prepare()
    return ", ".join(found.name for found in filters) or "none"


def _disk(plan: Plan, home: Home) -> str:
    home.prepare()
    free = shutil.disk_usage(home.path).free
    if free < ENOUGH_DISK:
        raise InputError(f"{home.path}: {free / 2**20:.0f} MiB free, at least 1 GiB is advised")
    name = plan.recipe.output.dataset
    found = f"{free / 2**30:.0f} GiB free; dataset {name!r} "
    if name not in home.dataset_names():
        return f"{found}is new"
    dataset = Dataset.open(home, name)
    found += f"grows, version {dataset.version}"
    earlier = earlier_run(plan, dataset)
    return f"{found}; a run begins behind the tasks of {earlier.run_id}" if earlier else found
