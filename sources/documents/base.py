"""What a source of documents is."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from synthmill.sources.base import InvalidItem, Source
from synthmill.sources.documents.document import Document


class DocumentSource(Source):
    """A source whose items are documents; `version` names what they are."""

    item: ClassVar[type] = Document

    @abstractmethod
    def items(self) -> Iterator[Document | InvalidItem]:
        """The documents, read lazily; what cannot be read comes as bad input."""

    @abstractmethod
    def version(self) -> str:
        """A hash of everything that decides the documents, found without parsing them.

        Raises:
            schemas.errors.InputError: the source cannot be read.
        """
