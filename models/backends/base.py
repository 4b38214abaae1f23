"""What every back end is: something that answers requests."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from models.prompt import Prompt
from models.wire import Completion, Request
from schemas.base import Settings
from schemas.recipe import ModelSpec


class Unavailable(Exception):
    """The back end cannot answer now and retrying did not help; the run pauses, then stops."""


class Refused(Exception):
    """The back end will never answer this request (bad key, unknown model, too long a prompt)."""


class Backend(ABC):
    """Answers requests of one model role; opened before use, closed after."""

    name: ClassVar[str]
    Settings: ClassVar[type[Settings]]

    def __init__(self, spec: ModelSpec, settings: Any) -> None:
        self.spec = spec
        self.settings = settings

    @property
    def model(self) -> str:
        """The model's name as rows and cache keys carry it."""
        return self.spec.model

    async def open(self) -> None:
        """Get ready to answer (connect, start servers, load weights)."""

    async def close(self) -> None:
        """Let go of everything `open` took."""

    @abstractmethod
    async def complete(self, request: Request, prompt: Prompt[Any]) -> list[Completion]:
        """`request.n` completions, in sample order.

        `prompt` is the typed prompt behind the request, which only the embedded back end reads.

        Raises:
            Unavailable: no answer can be had now.
            Refused: no answer can be had ever.
        """

    async def check(self) -> str:
        """One line that says the back end is ready, after asking it at no or next to no cost.

        Raises:
            Unavailable, Refused: it is not; the message says what would be right.
        """
        return f"{self.name}: ready"
