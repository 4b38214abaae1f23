"""Documents from files and folders: txt, md, html, jsonl, parquet and PDF."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.items import InvalidItem, storable
from synthmill.schemas.lineage import SourceRef
from synthmill.sources.base import DocumentSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.readers import READERS, File, ReadSettings, Text, reader_of
from synthmill.sources.documents.readers.common import Unreadable

READING_VERSION = 1  # raise it when the same file would give other text
# Ours: characters kept of a title or license. Every passage carries both, so a title of a megabyte
# would make a terabyte of passages.
MOST_TITLE = 500


class CorpusSettings(ReadSettings):
    """Settings of the source `corpus`."""

    path: Path | list[Path] = Field(description="a file or folder, or several")
    include: str = Field(default="**/*", description="pattern of the files taken from a folder")
    license: str | None = Field(default=None, description="SPDX name, carried into every row")
    limit: int | None = Field(default=None, gt=0, description="documents to yield at most")


class CorpusSource(DocumentSource):
    """The documents of files and folders, in the order of their names."""

    name: ClassVar[str] = "corpus"
    Settings = CorpusSettings
    settings: CorpusSettings

    def items(self) -> Iterator[Document | InvalidItem]:
        """The documents; a file or record that cannot be read is bad input, where it stands."""
        good = 0
        for file in self.files():
            for item in self._documents(file):
                yield item
                good += isinstance(item, Document)
                if good == self.settings.limit:
                    return

    def version(self) -> str:
        """Hash of the settings and of every file's name and bytes."""
        digest = hashlib.sha256(canonical_json(self._reading()).encode())
        for file in self.files():
            digest.update(f"\n{file.name}\n".encode("utf-8", "surrogateescape"))
            try:
                with file.path.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
            except OSError as error:  # it becomes bad input when it is read
                digest.update(str(error.errno).encode())
        return digest.hexdigest()

    def files(self) -> list[File]:
        """The files, named from their folder on.

        Raises:
            InputError: there is none.
        """
        given = self.settings.path
        paths = given if isinstance(given, list) else [given]
        named = (file for path in paths for file in self._found(path))
        found = list({file.path.absolute(): file for file in named}.values())
        if len({file.name for file in found}) < len(found):  # folders that hold the same names
            found = [File(file.path, file.path.as_posix()) for file in found]
        return found

    def check(self) -> str:
        """How many files there are."""
        return f"corpus: {len(self.files()):,} files"

    def _reading(self) -> dict[str, object]:
        settings = self.settings.model_dump(mode="json", exclude={"path", "include"})
        return {"reading": READING_VERSION, **settings}

    def _found(self, path: Path) -> list[File]:
        if path.is_file():
            if reader_of(path) is None:
                raise InputError(f"corpus file {path}: not one of {', '.join(READERS)}")
            return [File(path, path.name)]
        if not path.is_dir():
            raise InputError(f"corpus {path}: no such file or folder")
        inside = path.resolve()
        files = [
            File(found, found.relative_to(path).as_posix())
            for found in sorted(self._matching(path))
            # Links are not followed out of the folder.
            if reader_of(found) and found.is_file() and found.resolve().is_relative_to(inside)
        ]
        if not files:
            raise InputError(
                f"corpus folder {path} holds no {', '.join(READERS)} file"
                f" that matches {self.settings.include!r}"
            )
        return files

    def _matching(self, folder: Path) -> Iterator[Path]:
        try:
            yield from folder.glob(self.settings.include)
        except (ValueError, NotImplementedError) as error:
            raise InputError(f"corpus: 'include' {self.settings.include!r}: {error}") from error

    def _documents(self, file: File) -> Iterator[Document | InvalidItem]:
        reader = reader_of(file.path)
        assert reader is not None
        try:
            for text in reader(file, self.settings):
                yield self._document(file, text)
        except Unreadable as fault:
            yield self._bad(file, None, fault)

    def _document(self, file: File, text: Text) -> Document | InvalidItem:
        if text.fault is not None:
            return self._bad(file, text.record, text.fault)
        if not text.text.strip():
            return self._bad(file, text.record, Unreadable("empty document", "no text"))
        return Document(
            key=_name(file.name, text.record),
            uri=_name(file.path.as_posix(), text.record),
            # On one line: prompts name a seed by its title outside of any fence.
            title=" ".join(text.title.splitlines())[:MOST_TITLE],
            text=text.text,
            license=(text.license or "")[:MOST_TITLE] or self.settings.license,
        )

    def _bad(self, file: File, record: int | None, fault: Unreadable) -> InvalidItem:
        uri = _name(file.path.as_posix(), record)
        return InvalidItem(
            key=sha256_text(uri)[:20],
            reason=fault.reason,
            detail=f"{uri}: {fault}",
            origin=SourceRef(uri=uri, license=self.settings.license),
        )


def _name(file: str, record: int | None) -> str:
    return storable(file) if record is None else f"{storable(file)}#{record}"
