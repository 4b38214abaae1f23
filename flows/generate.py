"""The flow `generate`: a run of a recipe with history, retries and artifacts.

The engine does the work, with or without Prefect. A retry of a flow run resumes the same engine
run, so nothing is lost, generated twice or paid for twice.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import uuid4

from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow
from prefect.runtime import flow_run
from prefect.states import Cancelled

from synthmill.flows.artifacts import ProgressArtifact, log_funnel, publish_report, show_batch
from synthmill.flows.prefect_runs import require_api, silence_stderr_at_exit
from synthmill.flows.recipes import changed_recipe
from synthmill.flows.report_text import done_text, hint, outcome, shortfall
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.run import resume, start
from synthmill.pipelines.run_store import RECIPE_FILE
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.report import RunReport
from synthmill.store.home import Home
from synthmill.store.reports import read_report

RETRIES = 3
RETRY_SECONDS = 60
SEED_BITS = 31  # short to read, and every language can hold it

OnProgress = Callable[[Progress], None]
# The display of `tracked_run`; parameters of a flow must be JSON.
displayed: ContextVar[OnProgress | None] = ContextVar("displayed", default=None)


class RunStopped(Exception):
    """The run failed; a retry resumes it."""


async def say_counts(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """Put the counts into the message of the final state, which lists of runs show."""
    report = RunReport.model_validate(await state.aresult())
    async with get_client() as client:
        message = "; ".join([outcome(report), *shortfall(report), done_text(report)])
        said = state.model_copy(update={"id": uuid4(), "message": message})
        await client.set_flow_run_state(flow_run.id, said, force=True)


@flow(
    name="generate",
    retries=RETRIES,
    retry_delay_seconds=RETRY_SECONDS,
    persist_result=False,
    on_completion=[say_counts],
)
async def generate(
    recipe: str,
    home: str | None = None,
    changes: Sequence[str] = (),
    fresh_seed: bool = False,
    run_id: str | None = None,
) -> dict[str, Any] | State[None]:
    """Run a recipe and commit its rows; the result is the run's report.

    Args:
        recipe: a recipe file, or the name of a shipped recipe.
        home: the data folder; `$SYNTHMILL_HOME` or `./factory` by default.
        changes: `key.path=value` changes to the recipe, such as `target=500`.
        fresh_seed: take the seed from the time this flow run was scheduled for, so that every
            run of a schedule makes new rows.
        run_id: name of the engine's run; by default the recipe's name and the flow run's id.
    """
    silence_stderr_at_exit()
    made = changed_recipe(recipe, changes)
    if fresh_seed:
        made = with_scheduled_seed(made, flow_run.scheduled_start_time)
    run_id = run_id or f"{made.name}-{flow_run.id}"
    place = Home.find(home)
    await _name_run(made, run_id)
    report = await _start_or_resume(made, place, run_id)
    await publish_report(report, place)
    if report.stop == "failed":
        raise RunStopped(f"{report.stop_detail}; resume with: {hint(place, 'resume', run_id)}")
    if report.stop == "interrupted":
        return Cancelled(message=f"interrupted; resume with: {hint(place, 'resume', run_id)}")
    # A plain result, not a state: with one, Prefect raises the first attempt's error even after a
    # successful retry.
    return report.model_dump(mode="json")


async def _name_run(recipe: Recipe, run_id: str) -> None:
    """Name the flow run after the run (which begins with the recipe's name), and tag it."""
    async with get_client() as client:
        known = await client.read_flow_run(flow_run.id)
        own = {"synthmill", f"recipe:{recipe.name}", f"dataset:{recipe.output.dataset}"}
        tags = sorted({*known.tags, *own, f"generator:{recipe.generator.name}"})
        await client.update_flow_run(flow_run.id, name=run_id, tags=tags)


def with_scheduled_seed(recipe: Recipe, scheduled: datetime) -> Recipe:
    """The recipe with a seed that follows from its own and from a time of its schedule."""
    seed = keyed_seed("schedule", recipe.seed, scheduled.isoformat()) >> (63 - SEED_BITS)
    return recipe.model_copy(update={"seed": seed})


async def _start_or_resume(recipe: Recipe, home: Home, run_id: str) -> RunReport:
    artifact = ProgressArtifact(recipe.name)
    shown = displayed.get()

    async def watch(progress: Progress) -> None:
        if shown is not None:
            shown(progress)
        await artifact.update(progress)

    if (home.run(run_id) / RECIPE_FILE).is_file():
        report = await resume(run_id, home, on_progress=watch, on_commit=show_batch)
    else:
        report = await start(recipe, home, run_id=run_id, on_progress=watch, on_commit=show_batch)
    await artifact.end(report)
    log_funnel(report)
    return report


async def tracked_run(
    recipe: str, changes: Sequence[str], home: Home, run_id: str, on_progress: OnProgress
) -> RunReport:
    """Run the flow `generate` in this process, and return the report.

    Without retries: the user at the terminal resumes the run.

    Raises:
        InputError: the API does not answer, or what the engine raises.
    """
    require_api()
    displayed.set(on_progress)
    state = await generate.with_options(retries=0)(
        recipe=recipe, home=str(home.path), changes=changes, run_id=run_id, return_state=True
    )
    if state.is_failed() or state.is_crashed():
        failure = await state.aresult(raise_on_failure=False)
        if not isinstance(failure, RunStopped):
            raise failure  # type: ignore[misc]
    return read_report(home, run_id)
