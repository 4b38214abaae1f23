"""A run of the command line as a flow run of the Prefect API that is configured."""

from synthmill.flows.api import require_api
from synthmill.flows.generate import RunStopped, generate, watcher
from synthmill.flows.reports import read_report
from synthmill.flows.terminal.options import Chosen
from synthmill.flows.terminal.watching import Watcher
from synthmill.schemas.report import RunReport
from synthmill.store.home import Home


async def tracked_run(chosen: Chosen, home: Home, run_id: str, watch: Watcher) -> RunReport:
    """Run the flow `generate` here and now, and return the report.

    Without retries: whoever sits at the terminal resumes the run.

    Raises:
        InputError: the API does not answer, or what the engine raises.
    """
    require_api()
    watcher.set(watch)
    state = await generate.with_options(retries=0)(
        recipe=chosen.where,
        home=str(home.path),
        changes=chosen.changes,
        run_id=run_id,
        return_state=True,
    )
    if state.is_failed() or state.is_crashed():
        failure = await state.aresult(raise_on_failure=False)
        if not isinstance(failure, RunStopped):
            raise failure  # type: ignore[misc]
    return read_report(home, run_id)
