"""Parsers whose trees are kept in the cache: those that take longer than reading a tree back."""

import hashlib
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from synthmill.runtime.files import atomic_directory
from synthmill.runtime.workers import Limits
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.document import Document, OriginalFile
from synthmill.sources.documents.parsers.base import (
    DocumentParser,
    WorkerSettings,
    document_of,
    run_limited,
)
from synthmill.sources.documents.stored_tree import (
    STORE_VERSION,
    ParsedTree,
    read_tree,
    temporary_cache,
    write_tree,
)
from synthmill.sources.reading.files import InputFile, Unreadable

KEY_LENGTH = 32  # hex digits of the key: 128 bits

W = TypeVar("W", bound=WorkerSettings)
TreeFunction = Callable[[InputFile, Any], ParsedTree]


class StoredTreeParser(DocumentParser[W]):
    """Parses a file in a worker, which writes the tree into the cache; documents read it there.

    The key of a tree is the hash of the file's bytes, the parser with its version, and its
    settings. `form` names the format in reasons; `empty` is the reason where there is no text.
    """

    form: ClassVar[str]
    empty: ClassVar[tuple[str, str]] = ("empty document", "no text")

    @abstractmethod
    def tree_function(self) -> TreeFunction:
        """A module-level function that parses a file under the parser's settings."""

    def limits(self, file: InputFile) -> Limits:
        """The limits of parsing a file.

        Raises:
            Unreadable: a first look shows that it cannot be parsed.
        """
        return Limits(seconds=self.settings.seconds, memory_mb=self.settings.memory_mb)

    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The document."""
        sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
        folder = (self.cache or temporary_cache()) / "documents" / self._key(sha256)
        try:
            if not folder.exists():
                with atomic_directory(folder) as new:
                    work = (self.tree_function(), file, sha256, self.settings, new)
                    run_limited(self.form, _parse_into, *work, limits=self.limits(file))
            tree = read_tree(folder)
        except (OSError, ValueError) as error:
            raise Unreadable("cache not usable", f"{folder.parent}: {error}") from error
        if not tree.text.strip():
            raise Unreadable(*self.empty)
        yield document_of(
            file,
            tree.text,
            tree.title or file.stem,
            pages=tree.pages,
            structure=tree.elements,
            original=OriginalFile(file, sha256),
        )

    def _key(self, sha256: str) -> str:
        settings = self.settings.model_dump(mode="json", exclude={"seconds", "memory_mb"})
        parts = [STORE_VERSION, self.name, self.version, settings, sha256]
        return sha256_text(canonical_json(parts))[:KEY_LENGTH]


def _parse_into(
    parse: TreeFunction, file: InputFile, sha256: str, settings: Any, folder: Path
) -> None:
    """Parse a file and write its tree; runs in a worker."""
    if hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
        raise Unreadable("file changed", "while it was read")
    write_tree(folder, parse(file, settings))
