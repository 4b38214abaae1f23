"""The Prefect API that is configured."""

from prefect.client.orchestration import get_client

from synthmill.schemas.errors import InputError


def require_api() -> None:
    """Make sure that the API answers, before anything depends on it.

    Raises:
        InputError: it does not.
    """
    with get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
        if problem is not None:
            raise InputError(
                f"the Prefect API at {client.api_url} does not answer ({type(problem).__name__}): "
                "start it (`prefect server start`), or unset PREFECT_API_URL to run without it"
            )
