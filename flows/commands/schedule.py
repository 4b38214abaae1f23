"""`synthmill schedule`."""

from typing import TYPE_CHECKING

import click

from synthmill.flows.terminal.options import Chosen, home_option, recipe_options

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@recipe_options
@click.option("--cron", required=True, metavar="TEXT", help="When, as 'minute hour day month dow'.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE")
@click.option("--same-seed", is_flag=True, help="Use the recipe's seed in every run.")
@home_option
def schedule(recipe: Chosen, cron: str, timezone: str, same_seed: bool, home: "Home") -> None:
    """Run a recipe again and again, at the times that --cron says.

    Serves the recipe to the Prefect API that is configured, until this process is stopped. Every
    run takes a seed of its own, made from the recipe's seed and the scheduled time, so that it
    makes new rows; a failed run is retried as a resume of the same run.

    \b
    Examples:
      prefect server start
      prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api
      synthmill schedule cotevol-demo --cron '0 3 * * *'
      synthmill schedule my.yaml --target 1000 --cron '*/30 * * * *' --timezone Europe/Berlin
    """
    from synthmill.flows.prefect_runs import configured_api
    from synthmill.schemas.errors import InputError

    if configured_api() is None:
        raise InputError(
            "no Prefect API is configured: `prefect server start`, then "
            "`prefect config set PREFECT_API_URL=http://127.0.0.1:4200/api`"
        )
    from synthmill.flows.scheduling import serve

    serve(recipe, home, cron, timezone, same_seed)
