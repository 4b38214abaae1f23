"""The flow `maintain`: compacts datasets, deletes files without a version, rebuilds the catalog."""

from prefect import flow, get_run_logger
from prefect.artifacts import create_table_artifact
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from synthmill.flows.prefect_runs import silence_stderr_at_exit
from synthmill.store.home import Home
from synthmill.store.maintenance import maintain_all


@flow(name="maintain", persist_result=False)
def maintain(home: str | None = None, keep_days: int | None = None) -> State[None]:
    """Compact and vacuum every dataset of a home; a dataset that fails does not stop the others.

    Args:
        home: the data folder; `$SYNTHMILL_HOME` or `./factory` by default.
        keep_days: versions that were superseded longer ago become unreadable, unless they have a
            tag; by default all versions stay.
    """
    silence_stderr_at_exit()
    place = Home.find(home)
    done, problems = maintain_all(place, keep_days)
    create_table_artifact(
        [result._asdict() for result in done],
        key="maintenance",
        description=f"Home {place.path}",
    )
    for problem in problems:
        get_run_logger().error(problem)
    if problems:
        return Failed(message="; ".join(problems))
    return Completed(message=f"{len(done)} datasets maintained")
