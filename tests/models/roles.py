"""Recipes' model roles for the tests, with the waits made short."""

from typing import Any

from synthmill.schemas.recipe import ModelSpec, Price

PATIENCE = 1.5
QUICK = {"first_backoff_seconds": 0.02, "longest_backoff_seconds": 0.2}


def role(url: str | list[str], **settings: Any) -> ModelSpec:
    """The scripted server as a model role."""
    return ModelSpec(
        backend="openai",
        model="scripted",
        settings={"base_url": url, **QUICK, **settings},
        price=Price(prompt=2.0, completion=10.0),
    )
