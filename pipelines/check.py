"""Is everything there that a recipe needs? Found out before anything is spent."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

from synthmill.filters.base import Filter
from synthmill.models.errors import ModelError
from synthmill.models.registry import ModelRegistry
from synthmill.pipelines.plan import Plan, check_source, make_plan
from synthmill.pipelines.run_store import earlier_run
from synthmill.schemas.errors import InputError
from synthmill.schemas.recipe import Recipe
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

GIVE_UP_AFTER = 10.0  # seconds that a check waits for a server that fails
ENOUGH_DISK = 2**30  # bytes; ours: a run that ends for want of disk is worse than a warning


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: whether it will do, and what was seen or what would be right."""

    what: str
    ok: bool
    detail: str


async def check(recipe: Recipe, home: Home) -> AsyncIterator[Finding]:
    """Check the recipe, its source, models, filters and disk; one finding each.

    If the recipe itself is wrong, that is the only finding.
    """
    try:
        plan = make_plan(recipe)
    except InputError as error:
        yield Finding("recipe", False, str(error))
        return
    yield Finding("recipe", True, f"{recipe.name}: {plan.generator.label}, hash {plan.recipe_hash}")
    looks: dict[str, Callable[[], Awaitable[str]]] = {
        "source": lambda: asyncio.to_thread(check_source, plan.source),
        "models": lambda: _models(recipe),
        "filters": lambda: asyncio.to_thread(_filters, plan),
        "disk": lambda: asyncio.to_thread(_disk, plan, home),
    }
    for what, look in looks.items():
        try:
            yield Finding(what, True, await look())
        except (InputError, ModelError) as error:
            yield Finding(what, False, str(error))


async def _models(recipe: Recipe) -> str:
    specs = recipe.models
    async with ModelRegistry(specs, cache=None, give_up_after_seconds=GIVE_UP_AFTER) as models:
        return "; ".join(await models.check()) or "none needed"


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
