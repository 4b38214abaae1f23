"""`check`, `preview`, `run`, `resume`, `schedule`."""

from typing import TYPE_CHECKING, Any

import click

from synthmill.flows.terminal.options import (
    COUNT,
    RecipeSelection,
    home_option,
    recipe_options,
    target_option,
)

if TYPE_CHECKING:
    from synthmill.schemas.targets import Target
    from synthmill.store.home import Home


@click.command()
@recipe_options
@home_option
def check(recipe: RecipeSelection, home: "Home") -> None:
    """Test everything that a recipe needs, before anything is spent.

    Source, target, models, keys, filters and disk; one line each. Models are asked one small
    question of each form that the recipe needs (text, JSON, samples, continuations, tools,
    embeddings).

    The exit code is 2 if anything must be corrected.

    \b
    Examples:
      synthmill check cotevol-demo
      synthmill check my.yaml --source data/problems.jsonl
    """
    from synthmill.flows.terminal.runs import check_recipe

    check_recipe(recipe, home)


@click.command()
@recipe_options
@click.option(
    "--rows",
    type=COUNT,
    default=3,
    show_default=True,
    metavar="N",
    help="Rows of each sort to show.",
)
@home_option
def preview(recipe: RecipeSelection, rows: int, home: "Home") -> None:
    """Make a few rows of a recipe and show them; nothing is committed.

    Accepted rows come first, at least one of each kind that the generator makes, then a rejected
    row for each reason.

    Model answers stay in the response cache, so a run afterwards does not pay for them again.

    \b
    Examples:
      synthmill preview cotevol-demo
      synthmill preview my.yaml --rows 1 --set generator.settings.rounds=2
    """
    from synthmill.flows.terminal.runs import preview_recipe

    preview_recipe(recipe, home, rows)


@click.command()
@recipe_options
@click.option("--show", "rows", type=COUNT, metavar="N", help="Show so many rows at the end.")
@home_option
def run(recipe: RecipeSelection, rows: int | None, home: "Home") -> None:
    """Run a recipe until its target is met or its budget is spent.

    RECIPE is a file, or the name of a shipped recipe. Rows are committed to the recipe's dataset
    during the run, accepted and rejected ones. Press Ctrl-C once to finish and commit, twice to
    stop immediately; `synthmill resume` continues either way.

    With a Prefect API configured (PREFECT_API_URL or the active profile) the run is a tracked
    flow run; without one no server is needed.

    \b
    Examples:
      synthmill run cotevol-demo --show 2
      synthmill run my.yaml --target 500 --seed 7
      synthmill run my.yaml --target sft=100 --target rlvr=50
      synthmill run videossr --source ~/videos
      synthmill run my.yaml --set models.default.model=qwen3-8b --set budget.dollars=5
    """
    from synthmill.flows.terminal.runs import run_recipe

    run_recipe(recipe, home, rows or 0)


@click.command()
@click.argument("run", required=False)
@target_option("New target of accepted rows, as a whole.")
@click.option("--candidates", type=int, metavar="N", help="New limit of candidates.")
@click.option("--tokens", type=int, metavar="N", help="New limit of tokens.")
@click.option("--dollars", type=float, metavar="X", help="New limit of dollars.")
@click.option("--minutes", type=float, metavar="X", help="New limit of minutes.")
@home_option
def resume(run: str | None, target: "Target | None", home: "Home", **bounds: Any) -> None:
    """Continue a run that stopped, failed or was killed.

    Without RUN, the newest of these is continued. Committed rows stay, the open batch is replayed
    from the response cache, and no model call is paid for twice. Limits count from the start of the
    run, not from now. `synthmill ls --runs` lists the runs.

    \b
    Examples:
      synthmill resume
      synthmill resume cotevol-demo-20261120-093000-3f2a
      synthmill resume cotevol-demo-20261120-093000-3f2a --target 2000 --dollars 20
    """
    from synthmill.flows.terminal.runs import resume_run

    resume_run(run, home, target, {name: n for name, n in bounds.items() if n is not None})


@click.command()
@recipe_options
@click.option("--cron", required=True, metavar="TEXT", help="When, as 'minute hour day month dow'.")
@click.option("--timezone", default="UTC", show_default=True, metavar="ZONE")
@click.option("--fresh-seed", is_flag=True, help="Give every run a seed of its own.")
@home_option
def schedule(
    recipe: RecipeSelection, cron: str, timezone: str, fresh_seed: bool, home: "Home"
) -> None:
    """Run a recipe regularly, at the times that --cron gives.

    Serves the recipe to the Prefect API that is configured, until this process is stopped. Every
    run begins behind the tasks of the one before, until the source is used up (a source that grows
    is never). With --fresh-seed it begins anew, with a seed computed from the recipe's seed and the
    scheduled time. A failed run is retried by resuming it.

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

    serve(recipe.where, recipe.changes, home, cron, timezone, fresh_seed)
