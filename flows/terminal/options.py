"""Arguments and options that several commands share."""

import functools
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

if TYPE_CHECKING:
    from synthmill.store.home import Home

Command = Callable[..., Any]


class RecipeSelection(NamedTuple):
    """A recipe as the user named it, and the changes to it as `key.path=value`."""

    where: str
    changes: list[str]


def _home(ctx: click.Context, parameter: click.Parameter, value: str | None) -> "Home":
    from synthmill.store.home import Home

    return Home.find(value)


home_option = click.option(
    "--home",
    metavar="FOLDER",
    callback=_home,
    help="Data folder.  [default: $SYNTHMILL_HOME, else ./factory]",
)

COUNT = click.IntRange(min=1)  # of things to show or make

version_option = click.option(
    "--version", metavar="N|TAG", help="Version or tag of the dataset.  [default: the newest]"
)


def _target(ctx: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> Any:
    from synthmill.schemas.errors import InputError
    from synthmill.schemas.targets import target_from_text

    if not given:
        return None
    try:
        return target_from_text(",".join(given))
    except ValueError as error:
        raise InputError(f"'target': {error} (given: {','.join(given)!r:.60})") from error


def target_option(help: str) -> Callable[[Command], Command]:
    """`--target 100`, or numbers by kind: `--target sft=100 --target rlvr=50`, also with commas."""
    return click.option("--target", multiple=True, callback=_target, metavar="N|KIND=N", help=help)


# Options with a name of their own, and the key of the recipe that each sets.
SHORT = {
    "seed": "seed",
    "source": "source.path",
    "concurrency": "engine.concurrency",
}


def recipe_options(command: Command) -> Command:
    """RECIPE and the options that change it, handed to the command as one `RecipeSelection`."""

    @functools.wraps(command)
    def with_recipe(*, recipe: str, changes: tuple[str, ...], **values: Any) -> Any:
        short = [f"{SHORT[name]}={values[name]}" for name in SHORT if values[name] is not None]
        if (target := values.pop("target")) is not None:
            short.append(f"target={json.dumps(target)}")
        others = {name: value for name, value in values.items() if name not in SHORT}
        return command(recipe=RecipeSelection(recipe, [*short, *changes]), **others)

    options: tuple[Callable[[Command], Command], ...] = (
        click.argument("recipe"),
        target_option("Accepted rows to make, of all kinds or of each."),
        click.option("--seed", type=int, metavar="N", help="Seed of every random choice."),
        click.option("--source", metavar="PATH", help="File or folder of the source."),
        click.option("--concurrency", type=int, metavar="N", help="Tasks in progress at once."),
        click.option(
            "--set",
            "changes",
            multiple=True,
            metavar="KEY.PATH=VALUE",
            help="Any other key of the recipe; may be given several times.",
        ),
    )
    made: Command = with_recipe
    for option in reversed(options):
        made = option(made)
    return made
