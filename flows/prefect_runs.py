"""What runs need of Prefect: which API is configured, whether it answers, a quiet end."""

import atexit
import os
import tomllib
from functools import cache
from pathlib import Path

from synthmill.schemas.errors import InputError


def configured_api() -> str | None:
    """The Prefect API that is configured: by the environment, else by the active profile.

    Prefect takes two seconds to import, so its profile file is read without it.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        return url
    folder = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    path = Path(os.environ.get("PREFECT_PROFILES_PATH") or folder / "profiles.toml")
    try:
        profiles = tomllib.loads(path.expanduser().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    active = os.environ.get("PREFECT_PROFILE") or profiles.get("active")
    url = profiles.get("profiles", {}).get(active, {}).get("PREFECT_API_URL")
    return url if isinstance(url, str) else None


def require_api() -> None:
    """Make sure that the configured API answers, before anything depends on it.

    Raises:
        InputError: it does not.
    """
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        problem = client.api_healthcheck()
        if problem is not None:
            raise InputError(
                f"the Prefect API at {client.api_url} does not answer ({type(problem).__name__}): "
                "start it (`prefect server start`), or unset PREFECT_API_URL to run without it"
            )


@cache
def silence_stderr_at_exit() -> None:
    """Drop what is written to stderr while the interpreter shuts down.

    Objects that Prefect keeps until then make DuckDB's binding print a page about leaked types
    after the program's last line.
    """
    atexit.register(_drop_stderr)


def _drop_stderr() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
