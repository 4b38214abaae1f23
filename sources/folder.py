"""Problems from a folder of JSONL, CSV and Parquet files."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from synthmill.schemas.errors import InputError
from synthmill.sources._problems import ProblemSettings, ProblemSource, RawRow
from synthmill.sources.csv import CsvSource
from synthmill.sources.jsonl import JsonlSource
from synthmill.sources.parquet import ParquetSource

READERS: dict[str, type[ProblemSource]] = {
    ".jsonl": JsonlSource,
    ".csv": CsvSource,
    ".parquet": ParquetSource,
}


class FolderSettings(ProblemSettings):
    """Settings of the source `folder`."""

    path: Path = Field(description="the folder; files are read in the order of their paths")


class FolderSource(ProblemSource):
    """The files of a folder and of the folders in it, one after the other."""

    name: ClassVar[str] = "folder"
    Settings = FolderSettings
    settings: FolderSettings

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Folders."""
        return path.is_dir()

    def rows(self) -> Iterator[RawRow]:
        """The rows of all files. Links are not followed out of the folder."""
        for path in self._files():
            reader = READERS[path.suffix.lower()]
            shared = {name: getattr(self.settings, name) for name in ProblemSettings.model_fields}
            settings = reader.Settings.model_validate({"path": path, **shared})
            yield from reader(settings).rows()

    def _files(self) -> list[Path]:
        folder = self.settings.path
        if not folder.is_dir():
            raise InputError(f"source folder {folder} is not a folder")
        inside = folder.resolve()
        files = sorted(
            path
            for path in folder.rglob("*")
            if path.suffix.lower() in READERS
            and path.is_file()
            and path.resolve().is_relative_to(inside)
        )
        if not files:
            raise InputError(f"source folder {folder} holds no {', '.join(READERS)} file")
        return files
