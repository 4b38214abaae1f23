"""What every back end is: something that answers requests."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from pydantic import Field
from pydantic.config import JsonDict

from synthmill.models.completion import Completion, Embedding
from synthmill.models.errors import ConfigurationError
from synthmill.models.forms import USUAL_FORMS, Form
from synthmill.models.prompt import Prompt
from synthmill.models.request import Request
from synthmill.schemas.base import Settings
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.plugins import load_plugin
from synthmill.schemas.recipe import ModelSpec
from synthmill.schemas.validation import validated

BACKENDS = ("synthmill.models.backends",)
AFFECTS_OUTPUT: JsonDict = {"affects_output": True}


class BackendSettings(Settings):
    """Settings that every back end has.

    A field that changes what a model answers is declared with
    `Field(json_schema_extra=AFFECTS_OUTPUT)`: it enters the cache key and the recipe's hash.
    """

    max_parse_retries: int = Field(
        default=2, ge=0, description="how often a malformed answer is asked for again"
    )

    def output_settings(self) -> dict[str, Any]:
        """The declared fields that differ from their defaults, as JSON values."""
        fields = type(self).model_fields.items()
        shaping = {name for name, field in fields if field.json_schema_extra == AFFECTS_OUTPUT}
        return self.model_dump(mode="json", include=shaping, exclude_defaults=True)


class Backend(ABC):
    """Answers requests of one model role; opened before use, closed after.

    `give_up_after_seconds` is how long a dead server is waited for. `failures` counts, by prompt
    name and kind, the failures that were retried.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BackendSettings]] = BackendSettings
    local: ClassVar[bool] = False  # runs on this machine, so its tokens cost nothing

    def __init__(
        self, spec: ModelSpec, settings: Any, *, give_up_after_seconds: float = 300.0
    ) -> None:
        self.spec = spec
        self.settings = settings
        self.give_up_after_seconds = give_up_after_seconds
        self.failures: defaultdict[str, Counter[str]] = defaultdict(Counter)
        kept = settings.output_settings()
        self._cache_identity = canonical_json(kept) if kept else ""

    @property
    def model(self) -> str:
        """The model's name as rows and cache keys carry it."""
        return self.spec.name or self.spec.model

    def cache_identity(self) -> str:
        """The settings that change answers, as text; it is part of the cache key."""
        return self._cache_identity

    def samples_a_call(self, request: Request) -> int:
        """How many samples of a request are best asked for in one call."""
        return request.n

    async def open(self) -> None:
        """Get ready to answer (connect, start servers, load weights)."""

    async def close(self) -> None:
        """Let go of everything `open` took."""

    @abstractmethod
    async def complete(
        self, request: Request, prompt: Prompt[Any], *, priority: int = 0
    ) -> list[Completion]:
        """Between one and `request.n` completions, in sample order from `request.first` on.

        The caller stores them and asks again for those that are missing. It never asks for more
        than `samples_a_call`. `prompt` is the typed prompt behind the request, which only the
        embedded back end reads. Of the calls that wait for a place, those of the lowest `priority`
        go first.

        Raises:
            ServerUnavailable: no answer can be had now.
            RequestRejected: no answer can be had ever.
        """

    texts_per_call: int = 64  # most texts that `embed` is given at once

    async def embed(self, texts: Sequence[str], *, priority: int = 0) -> list[Embedding]:
        """One embedding of each text, in order; all vectors of a model have one length.

        Raises:
            ServerUnavailable: no answer can be had now.
            RequestRejected: no answer can be had ever; `ConfigurationError` where the back end
                does not embed.
        """
        raise ConfigurationError(
            f"the back end {self.name} has no embeddings: give models.embedding another one"
        )

    def status(self) -> str | None:
        """One line when the back end is waiting for something (a dead server), else None."""
        return None

    async def check(self, forms: Collection[Form] = USUAL_FORMS) -> str:
        """One line that says the back end is ready for some forms of calls, after next to no cost.

        Raises:
            ServerUnavailable, RequestRejected: it is not; the message says what would be right.
        """
        if "embedding" in forms:
            await self.embed(["one text"])
        return f"{self.name}: ready"


def backend_settings(role: str, spec: ModelSpec) -> tuple[type[Backend], BackendSettings]:
    """The back end's class of a model role, and the role's checked settings for it.

    Raises:
        InputError: there is no such back end, or a setting is wrong.
    """
    cls: type[Backend] = load_plugin(Backend, spec.backend, BACKENDS)  # type: ignore[type-abstract]
    return cls, validated(cls.Settings, spec.settings, f"models.{role}.settings", at=("settings",))


def model_identity(role: str, spec: ModelSpec) -> dict[str, Any]:
    """What of a model role decides its answers: back end, model, and the settings that do.

    How the model is reached and what it costs is left out. It belongs in a recipe's hash.

    Raises:
        InputError: as `backend_settings` does.
    """
    _, settings = backend_settings(role, spec)
    return {
        "backend": spec.backend,
        "model": spec.name or spec.model,
        "settings": settings.output_settings(),
    }
