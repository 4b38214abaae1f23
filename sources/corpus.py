"""Documents from files and folders, each read by the parser for its suffix."""

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from synthmill.schemas.base import Settings
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json
from synthmill.schemas.items import InvalidItem
from synthmill.sources.base import DocumentSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.base import (
    DocumentParser,
    ParserSpec,
    invalid_item,
    parsers_by_suffix,
)
from synthmill.sources.reading.files import InputFile, Unreadable


class CorpusSettings(Settings):
    """Settings of the source `corpus`."""

    path: Path | list[Path] = Field(description="a file or folder, or several")
    include: str = Field(default="**/*", description="pattern of the files taken from a folder")
    license: str | None = Field(default=None, description="SPDX name, carried into every row")
    limit: int | None = Field(default=None, gt=0, description="documents to yield at most")
    max_bytes: int = Field(
        default=64 << 20, gt=0, description="largest file read whole (unpacked), in bytes"
    )
    parsers: dict[str, ParserSpec] = Field(
        default={},
        description="parser by suffix where it is not the default one: its name, or "
        "{name, settings} (`.jsonl: {settings: {text_field: body}}`)",
    )


class CorpusSource(DocumentSource):
    """The documents of files and folders, in the order of their names."""

    name: ClassVar[str] = "corpus"
    Settings = CorpusSettings
    settings: CorpusSettings

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Folders, and files for which there is a parser."""
        return path.is_dir() or path.suffix.lower() in parsers_by_suffix({}, None)

    @cached_property
    def parsers(self) -> dict[str, DocumentParser[Any]]:
        """The parser of each suffix.

        Raises:
            InputError: the setting `parsers` is wrong.
        """
        return parsers_by_suffix(self.settings.parsers, self.folder)

    def items(self) -> Iterator[Document | InvalidItem]:
        """The documents; a file or record that cannot be read is an invalid item in its place."""
        good = 0
        for file in self.files():
            for item in self._documents(file):
                yield item
                good += isinstance(item, Document)
                if good == self.settings.limit:
                    return

    def version(self) -> str:
        """Hash of the settings, and of every file's name, parser and bytes."""
        settings = self.settings.model_dump(mode="json", exclude={"path", "include", "parsers"})
        digest = hashlib.sha256(canonical_json(settings).encode())
        for file in self.files():
            parser = self.parsers[file.suffix]
            reading = [parser.name, parser.version, parser.settings.model_dump(mode="json")]
            digest.update(f"\n{canonical_json(reading)}\n".encode())
            digest.update(f"{file.name}\n".encode("utf-8", "surrogateescape"))
            try:
                with file.path.open("rb") as opened:
                    digest.update(hashlib.file_digest(opened, "sha256").digest())
            except OSError as error:  # it becomes an invalid item when it is read
                digest.update(str(error.errno).encode())
        return digest.hexdigest()

    def files(self) -> list[InputFile]:
        """The files, named from their folder on.

        Raises:
            InputError: there is none.
        """
        given = self.settings.path
        paths = given if isinstance(given, list) else [given]
        named = (file for path in paths for file in self._found(path))
        found = list({file.path.absolute(): file for file in named}.values())
        if len({file.name for file in found}) < len(found):  # folders that hold the same names
            found = [self._file(file.path, file.path.as_posix()) for file in found]
        return found

    def check(self) -> str:
        """How many files there are."""
        return f"corpus: {len(self.files()):,} files"

    def _found(self, path: Path) -> list[InputFile]:
        suffixes = ", ".join(sorted(self.parsers))
        if path.is_file():
            file = self._file(path, path.name)
            if file.suffix not in self.parsers:
                raise InputError(f"corpus file {path}: not one of {suffixes}")
            return [file]
        if not path.is_dir():
            raise InputError(f"corpus {path}: no such file or folder")
        inside = path.resolve()
        files = [
            file
            for found in sorted(self._matching(path))
            if (file := self._file(found, found.relative_to(path).as_posix())).suffix
            in self.parsers
            # Links are not followed out of the folder.
            and found.is_file()
            and found.resolve().is_relative_to(inside)
        ]
        if not files:
            raise InputError(
                f"corpus folder {path} holds no {suffixes} file"
                f" that matches {self.settings.include!r}"
            )
        return files

    def _file(self, path: Path, name: str) -> InputFile:
        return InputFile(path, name, self.settings.max_bytes, self.settings.license)

    def _matching(self, folder: Path) -> Iterator[Path]:
        try:
            yield from folder.glob(self.settings.include)
        except (ValueError, NotImplementedError) as error:
            raise InputError(f"corpus: 'include' {self.settings.include!r}: {error}") from error

    def _documents(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        parser = self.parsers[file.suffix]
        parser.cache = self.cache
        try:
            yield from parser.parse(file)
        except Unreadable as fault:
            yield invalid_item(file, fault)
