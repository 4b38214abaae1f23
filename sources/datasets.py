"""Problems from a `datasets` dataset, saved on disk or streamed from the hub."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from synthmill.schemas.errors import InputError, nearest
from synthmill.sources._problems import ProblemSettings, ProblemSource, RawRow


class DatasetsSourceSettings(ProblemSettings):
    """Settings of the source `datasets`."""

    path: str = Field(description="folder of a dataset (save_to_disk or data files), or a hub name")
    config: str | None = Field(default=None, description="name of the configuration")
    split: str = Field(default="train", description="split to read")
    revision: str | None = Field(default=None, description="commit or tag of a hub dataset")


class DatasetsSource(ProblemSource):
    """The rows of one split. Datasets that come with loading code are refused, never run."""

    name: ClassVar[str] = "datasets"
    Settings = DatasetsSourceSettings
    settings: DatasetsSourceSettings

    def rows(self) -> Iterator[RawRow]:
        """The rows, streamed."""
        rows = iter(self._split())
        number = 0
        while True:
            number += 1
            try:
                record = next(rows)
            except StopIteration:
                return
            except Exception as error:  # readers of many formats raise many types
                # A broken stream cannot be continued after the error.
                fault = f"the rest cannot be read: {type(error).__name__}: {error}"
                yield RawRow(self.settings.path, number, fault=fault)
                return
            yield RawRow(self.settings.path, number, record)

    def _split(self) -> Iterable[dict[str, Any]]:
        settings = self.settings
        try:
            return _saved(settings) if _is_saved(Path(settings.path)) else _streamed(settings)
        except InputError:
            raise
        except Exception as error:  # datasets raises dozens of types, of several libraries
            first = (str(error) or type(error).__name__).splitlines()[0]
            raise InputError(f"dataset {settings.path!r} cannot be read: {first}") from error


def _is_saved(path: Path) -> bool:
    return any((path / name).is_file() for name in ("state.json", "dataset_dict.json"))


def _saved(settings: DatasetsSourceSettings) -> Iterable[dict[str, Any]]:
    from datasets import DatasetDict, load_from_disk

    found = load_from_disk(settings.path)
    if not isinstance(found, DatasetDict):
        return found
    if settings.split not in found:
        known = sorted(map(str, found))
        raise InputError(
            f"dataset {settings.path!r} has no split {settings.split!r}"
            f"{nearest(settings.split, known)}; it has {', '.join(known)}"
        )
    return found[settings.split]


def _streamed(settings: DatasetsSourceSettings) -> Iterable[dict[str, Any]]:
    from datasets import load_dataset

    return load_dataset(
        settings.path,
        settings.config,
        split=settings.split,
        revision=settings.revision,
        streaming=True,
    )
