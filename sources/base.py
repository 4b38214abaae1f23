"""What a source is: something that yields items in a fixed order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import field_validator

from synthmill.schemas.base import Record, Settings
from synthmill.schemas.lineage import SourceRef


class Problem(Record):
    """A question, its answer where one is known, and where both came from.

    `key` is stable: the source's own id, or the hash of the question and the answer. `reward` is
    the name@version of the function that scores answers, `reward_args` its arguments as JSON text.
    """

    key: str
    text: str
    answer: str | None = None
    reward: str | None = None
    reward_args: str | None = None
    origin: SourceRef


def storable(text: str) -> str:
    r"""The text as rows can hold it: what is no Unicode in a file's name or a record's is spelled
    out (`\udcff`)."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class InvalidItem(Record):
    """An item that could not be read; the engine makes a rejected row of it."""

    key: str
    reason: str
    detail: str
    excerpt: str = ""
    origin: SourceRef

    @field_validator("key", "reason", "detail", "excerpt")
    @classmethod
    def _storable(cls, text: str) -> str:
        return storable(text)


class Source(ABC):
    """Yields items (`Problem`, a document, a video ...) or `InvalidItem`, always in the same order.

    `item` is the type of its good items: a generator takes the sources whose items it works on.
    """

    name: ClassVar[str]
    item: ClassVar[type]
    Settings: ClassVar[type[Settings]]

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def items(self) -> Iterator[Any]:
        """The items, read lazily.

        Raises:
            schemas.errors.InputError: the source as a whole cannot be read.
        """

    def check(self) -> str:
        """One line about the source, after a look at its beginning.

        Raises:
            schemas.errors.InputError: it cannot be read.
        """
        first = next(self.items(), None)
        return f"{self.name}: {'empty' if first is None else 'readable'}"
