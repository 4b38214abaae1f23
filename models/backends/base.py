"""What every back end is: something that answers requests."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from typing import Any, ClassVar

from pydantic import Field

from synthmill.models.prompt import Prompt
from synthmill.models.wire import Completion, Request
from synthmill.schemas.base import Settings
from synthmill.schemas.recipe import ModelSpec


class Unavailable(Exception):
    """The back end cannot answer now and retrying did not help; the run pauses, then stops."""


class Refused(Exception):
    """The back end will never answer this request (too long a prompt, a field it rejects)."""


class WrongSetup(Refused):
    """The back end will never answer any request (bad key, unknown model): the run is pointless."""


class BackendSettings(Settings):
    """Settings that every back end has."""

    reasks: int = Field(
        default=2, ge=0, description="how often a malformed answer is asked for again"
    )


class Backend(ABC):
    """Answers requests of one model role; opened before use, closed after.

    `patience` is how many seconds a dead server is waited for. `failures` counts, by prompt name
    and kind, the failures that were retried.
    """

    name: ClassVar[str]
    Settings: ClassVar[type[BackendSettings]] = BackendSettings

    def __init__(self, spec: ModelSpec, settings: Any, *, patience: float = 300.0) -> None:
        self.spec = spec
        self.settings = settings
        self.patience = patience
        self.failures: defaultdict[str, Counter[str]] = defaultdict(Counter)

    @property
    def model(self) -> str:
        """The model's name as rows and cache keys carry it."""
        return self.spec.model

    @property
    def shape(self) -> str:
        """What of the settings changes answers, as text; it is part of the cache key."""
        return ""

    def samples_a_call(self, request: Request) -> int:
        """How many samples of a request are best asked for in one call."""
        return request.n

    async def open(self) -> None:
        """Get ready to answer (connect, start servers, load weights)."""

    async def close(self) -> None:
        """Let go of everything `open` took."""

    @abstractmethod
    async def complete(self, request: Request, prompt: Prompt[Any]) -> list[Completion]:
        """Between one and `request.n` completions, in sample order from `request.first` on.

        The caller stores them and asks again for those that are missing. It never asks for more
        than `samples_a_call`. `prompt` is the typed
        prompt behind the request, which only the embedded back end reads.

        Raises:
            Unavailable: no answer can be had now.
            Refused: no answer can be had ever.
        """

    def status(self) -> str | None:
        """One line when the back end is waiting for something (a dead server), else None."""
        return None

    async def check(self) -> str:
        """One line that says the back end is ready, after asking it at no or next to no cost.

        Raises:
            Unavailable, Refused: it is not; the message says what would be right.
        """
        return f"{self.name}: ready"
