"""The flow `maintain`: compacts datasets, deletes what nobody can read, rebuilds the catalog."""

from pathlib import Path

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from synthmill.flows.exit import hush_at_exit
from synthmill.flows.upkeep import tend_all
from synthmill.store.home import Home


@flow(name="maintain", persist_result=False)
def maintain(home: str = "factory", keep_days: int | None = None) -> State[None]:
    """Tend every dataset of a home; one that cannot be tended does not keep the others from it.

    Args:
        home: the data folder.
        keep_days: versions that were superseded longer ago become unreadable, unless they have a
            tag; by default all versions stay.
    """
    hush_at_exit()
    done, problems = tend_all(Home(Path(home)), keep_days)
    create_table_artifact(
        [upkeep._asdict() for upkeep in done], key="maintenance", description=f"Upkeep of {home}"
    )
    for problem in problems:
        get_run_logger().error(problem)
    if problems:
        return Failed(message="; ".join(problems))
    return Completed(message=f"{len(done)} datasets tended")
