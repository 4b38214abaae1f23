"""Serving a recipe on a schedule that Prefect's API triggers."""

from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.schedules import CronSchedule
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType
from pydantic import ValidationError

from synthmill.flows.generate import generate
from synthmill.flows.prefect_runs import require_api, silence_stderr_at_exit
from synthmill.flows.recipes import changed_recipe
from synthmill.schemas.errors import InputError
from synthmill.store.home import Home


def serve(
    where: str, changes: list[str], home: Home, cron: str, timezone: str, fresh_seed: bool
) -> None:
    """Serve `generate` for a recipe until the process is stopped, which pauses the schedule.

    Runs never overlap: a run that is due during another starts after it.

    Raises:
        InputError: recipe, cron text or time zone cannot be used, or the API does not answer.
    """
    silence_stderr_at_exit()
    recipe = changed_recipe(where, changes)
    try:
        CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        message = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"--cron {cron!r} in {timezone}: {message}") from error
    require_api()
    file = Path(where)
    try:
        generate.serve(
            name=recipe.name,
            schedule=Cron(cron, timezone=timezone),
            parameters={
                "recipe": str(file.absolute()) if file.is_file() else where,
                "home": str(home.path),
                "changes": changes,
                "fresh_seed": fresh_seed,
            },
            tags=["synthmill", recipe.output.dataset],
            limit=1,
            pause_on_shutdown=False,
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
    finally:
        # Prefect's own pause is interrupted when SIGTERM arrives during a run.
        with get_client(sync_client=True) as client:
            deployment = client.read_deployment_by_name(f"{generate.name}/{recipe.name}")
            client.pause_deployment(deployment.id)
