"""What a source is: it yields items (problems, documents, videos) in a fixed order."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from synthmill.schemas.base import Record, Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.documents.document import Document


class Problem(Record):
    """A question, its answer where one is known, and the origin of both.

    `key` is stable: the source's own id, or the hash of the question and the answer. `reward` is
    the name@version of the function that scores answers, `reward_args` its arguments as JSON text.
    """

    key: str
    text: str
    answer: str | None = None
    reward: str | None = None
    reward_args: str | None = None
    origin: SourceRef


class Source(ABC):
    """Yields items (`Problem`, a document, a video ...) or `InvalidItem`, always in the same order.

    `item` is the type of its good items: a generator accepts the sources whose items it works on.
    `folder` is the folder of the recipe, where plug-ins that its settings name are looked for, and
    `cache` the cache folder of the home, from the beginning of a run on.
    """

    name: ClassVar[str]
    item: ClassVar[type]
    Settings: ClassVar[type[Settings]] = Settings
    folder: Path | None = None
    cache: Path | None = None

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Whether a recipe that gives a path alone (`source: problems.csv`) means this source."""
        return False

    @abstractmethod
    def items(self) -> Iterator[Any]:
        """The items, read lazily.

        Raises:
            schemas.errors.InputError: the source as a whole cannot be read.
        """

    def size(self, seconds: float) -> int | None:
        """The number of items, where it can be found within so many seconds; else None."""
        return None

    def check(self) -> str:
        """One line about the source, after a look at its beginning.

        Raises:
            schemas.errors.InputError: it cannot be read.
        """
        first = next(iter(self.items()), None)
        if first is not None and not isinstance(first, self.item | InvalidItem):
            raise InputError(f"{self.name}: items are of {self.item.__name__}, not {first!r:.80}")
        return f"{self.name}: {'empty' if first is None else 'readable'}"


class NoSource(Source):
    """Stands for the source of a generator that needs none."""

    name: ClassVar[str] = "none"
    item: ClassVar[type] = object

    def __init__(self) -> None:
        super().__init__(self.Settings())

    def items(self) -> Iterator[Any]:
        """No items."""
        return iter(())

    def check(self) -> str:
        """See `Source.check`."""
        return "none needed"


class DocumentSource(Source):
    """A source whose items are documents; `version` names what they are."""

    item: ClassVar[type] = Document

    @abstractmethod
    def items(self) -> Iterator[Document | InvalidItem]:
        """The documents, read lazily; what cannot be read comes as an invalid item."""

    @abstractmethod
    def version(self) -> str:
        """A hash of everything that decides the documents, found without parsing them.

        Raises:
            schemas.errors.InputError: the source cannot be read.
        """
