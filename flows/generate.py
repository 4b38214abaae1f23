"""The flow `generate`: a run of a recipe with history, retries and artifacts.

The engine does the work, with or without Prefect. A retry of a flow run resumes the same engine
run, so nothing is lost, generated twice or paid for twice.
"""

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.artifacts import acreate_link_artifact, acreate_markdown_artifact
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Cancelled

from synthmill.flows.artifacts import ProgressArtifact, artifact_key, log_funnel
from synthmill.flows.prefect_runs import require_api, silence_stderr_at_exit
from synthmill.flows.recipes import changed_recipe
from synthmill.flows.report_text import hint, markdown
from synthmill.pipelines.progress import Progress
from synthmill.pipelines.run import resume, start
from synthmill.pipelines.run_store import RECIPE_FILE
from synthmill.schemas.identity import keyed_seed
from synthmill.schemas.recipe import Recipe
from synthmill.schemas.report import RunReport
from synthmill.store.dataset import Dataset
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


@flow(name="generate", retries=RETRIES, retry_delay_seconds=RETRY_SECONDS, persist_result=False)
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
    report = await _start_or_resume(made, place, run_id)
    await _publish_artifacts(report, place)
    if report.stop == "failed":
        raise RunStopped(f"{report.stop_detail}; resume with: {hint(place, 'resume', run_id)}")
    if report.stop == "interrupted":
        return Cancelled(message=f"interrupted; resume with: {hint(place, 'resume', run_id)}")
    # A plain result, not a state: with one, Prefect raises the first attempt's error even after a
    # successful retry.
    return report.model_dump(mode="json")


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
        report = await resume(run_id, home, on_progress=watch)
    else:
        report = await start(recipe, home, run_id=run_id, on_progress=watch)
    await artifact.end(report)
    log_funnel(report)
    return report


async def _publish_artifacts(report: RunReport, home: Home) -> None:
    key = artifact_key(report.dataset)
    description = f"Report of run {report.run_id}"
    await acreate_markdown_artifact(markdown(report), key=f"{key}-report", description=description)
    await acreate_link_artifact(
        Path(Dataset.open(home, report.dataset).location).as_uri(),
        link_text=report.dataset,
        key=f"{key}-dataset",
        description=f"The Delta table of dataset {report.dataset}",
    )


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
