"""`synthmill resume`."""

from typing import TYPE_CHECKING, Any

import click

from synthmill.flows.terminal.options import home_option

if TYPE_CHECKING:
    from synthmill.store.home import Home


@click.command()
@click.argument("run")
@click.option("--target", type=int, metavar="N", help="Another number of accepted rows.")
@click.option("--candidates", type=int, metavar="N", help="Another bound of emitted rows.")
@click.option("--tokens", type=int, metavar="N", help="Another bound of tokens.")
@click.option("--dollars", type=float, metavar="X", help="Another bound of dollars.")
@click.option("--minutes", type=float, metavar="X", help="Another bound of minutes.")
@home_option
def resume(run: str, target: int | None, home: "Home", **bounds: Any) -> None:
    """Go on with a run that stopped, failed or was killed.

    Committed rows stay, the open batch is replayed from the response cache, and no model call is
    paid for twice. Bounds count from the beginning of the run, not from now. `synthmill ls --runs`
    lists the runs.

    \b
    Examples:
      synthmill resume cotevol-demo-20261120-093000-3f2a
      synthmill resume cotevol-demo-20261120-093000-3f2a --target 2000 --dollars 20
    """
    from synthmill.flows.terminal.running import resume_run

    resume_run(run, home, target, {name: n for name, n in bounds.items() if n is not None})
