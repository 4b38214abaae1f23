"""Problems from a `datasets` dataset, saved on disk or streamed from the hub."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import yaml
from pydantic import Field

from synthmill.runtime.workers import WorkerError
from synthmill.schemas.errors import InputError, nearest
from synthmill.sources._problems import ProblemSettings, ProblemSource, RawRow
from synthmill.sources.reading.files import open_regular
from synthmill.sources.reading.worker_rows import cut, rows_in_worker

if TYPE_CHECKING:
    from datasets import DatasetBuilder

# Formats of plain rows. Others hold pictures or sound, or are read by unpickling.
FORMATS = ("arrow", "csv", "json", "parquet", "text")
MAX_DESCRIPTION = 16 << 20  # ours: bytes of a file that describes a dataset
_HUB_NAME = re.compile(r"[\w][\w.-]*(/[\w][\w.-]*)?", re.ASCII)


class DatasetsSourceSettings(ProblemSettings):
    """Settings of the source `datasets`."""

    path: str = Field(description="folder of a dataset (save_to_disk or data files), or a hub name")
    config: str | None = Field(default=None, description="name of the configuration")
    split: str = Field(default="train", description="split to read")
    revision: str | None = Field(default=None, description="commit or tag of a hub dataset")
    memory_mb: int = Field(default=4096, gt=0, description="memory that reading may take")


class DatasetsSource(ProblemSource):
    """The rows of one split, read in a worker.

    Datasets that come with loading code are refused, never run. A folder's own files cannot make
    it read outside of the folder, nor open a connection.
    """

    name: ClassVar[str] = "datasets"
    Settings = DatasetsSourceSettings
    settings: DatasetsSourceSettings

    @classmethod
    def reads(cls, path: Path) -> bool:
        """Folders of saved datasets."""
        return _saved_to_disk(path)

    def rows(self) -> Iterator[RawRow]:
        """The rows, streamed."""
        settings, number = self.settings, 0
        try:
            for row in rows_in_worker(_rows, settings, memory_mb=settings.memory_mb):
                yield row
                number = row.number
        except WorkerError as error:
            # A broken stream cannot be continued after the error.
            fault = f"the rest cannot be read: {error}"
            yield RawRow(settings.path, number + 1, fault=fault)


def _rows(settings: DatasetsSourceSettings) -> Iterator[RawRow]:
    rows = iter(_split(settings))
    number = 0
    while True:
        number += 1
        try:
            record = next(rows)
        except StopIteration:
            return
        except MemoryError:
            raise
        except Exception as error:  # readers of many formats raise many types
            fault = f"the rest cannot be read: {type(error).__name__}: {error}"
            yield RawRow(settings.path, number, fault=fault)
            return
        yield RawRow(settings.path, number, cut(record, settings.max_chars))


def _saved_to_disk(path: Path) -> bool:
    return any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))


def _split(settings: DatasetsSourceSettings) -> Iterable[dict[str, Any]]:
    path = Path(settings.path)
    try:
        if _saved_to_disk(path):
            return _saved(settings, path.resolve())
        if path.is_dir():
            return _folder(settings, path.resolve())
        return _hub(settings)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # datasets raises dozens of types, of several libraries
        first = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f"dataset {settings.path!r} cannot be read: {first}") from error


def _saved(settings: DatasetsSourceSettings, folder: Path) -> Iterable[dict[str, Any]]:
    from datasets import load_from_disk

    listed = folder / "dataset_dict.json"
    if listed.is_file():
        known = [str(name) for name in json.loads(_described(listed)).get("splits", [])]
        if settings.split not in known:
            raise InputError(
                f"dataset {settings.path!r} has no split {settings.split!r}"
                f"{nearest(settings.split, known)}; it has {', '.join(sorted(known))}"
            )
        folder = _inside(folder, settings.split, folder)
    for file in json.loads(_described(folder / "state.json"))["_data_files"]:
        _inside(folder, str(file["filename"]), folder)
    found: Any = load_from_disk(str(folder))
    return _undecoded(found.to_iterable_dataset())


def _folder(settings: DatasetsSourceSettings, folder: Path) -> Iterable[dict[str, Any]]:
    from datasets import load_dataset_builder

    # What the description of the folder names is resolved by the library before it can be
    # looked at, and an address would be called by then.
    for described in (folder / "README.md", folder / ".huggingface.yaml"):
        if described.is_file():
            _check_patterns(folder, _front_matter(described))
    builder = load_dataset_builder(str(folder), settings.config)
    for file in _data_files(builder):
        _inside(folder, file, folder)
    return _streamed(builder, settings)


def _hub(settings: DatasetsSourceSettings) -> Iterable[dict[str, Any]]:
    from datasets import load_dataset_builder
    from datasets.packaged_modules import _PACKAGED_DATASETS_MODULES as modules

    name = settings.path
    # A name of the library's own readers would make it read the current folder.
    if not _HUB_NAME.fullmatch(name) or name in modules:
        raise InputError(f"dataset {name!r} cannot be read: no such folder, and no name of a hub")
    revision = _checked_revision(name, settings.revision)
    builder = load_dataset_builder(name, settings.config, revision=revision)
    for file in _data_files(builder):
        if not file.startswith("hf://"):
            raise InputError(f"dataset {name!r} cannot be read: {file!r} is not in its repository")
    return _streamed(builder, settings)


def _checked_revision(name: str, revision: str | None) -> str:
    """The commit of a hub dataset, after a check of the files that its card names.

    The library resolves them before they can be looked at, and would call an address by then.

    Raises:
        InputError: a file is outside of the repository.
    """
    from datasets import config
    from huggingface_hub import HfApi
    from huggingface_hub.errors import EntryNotFoundError

    hub, root = HfApi(endpoint=config.HF_ENDPOINT), Path("/repository")
    commit = str(hub.dataset_info(name, revision=revision).sha)
    for described in (config.REPOCARD_FILENAME, config.REPOYAML_FILENAME):
        with suppress(EntryNotFoundError):
            found = hub.hf_hub_download(name, described, repo_type="dataset", revision=commit)
            try:
                _check_patterns(root, _front_matter(Path(found)))
            except InputError as error:
                raise InputError(
                    f"dataset {name!r} cannot be read: its {described} names files that are not "
                    "in its repository"
                ) from error
    return commit


def _streamed(
    builder: "DatasetBuilder", settings: DatasetsSourceSettings
) -> Iterable[dict[str, Any]]:
    form = type(builder).__module__.split(".")[-1]
    if form not in FORMATS:
        raise InputError(
            f"dataset {settings.path!r} cannot be read: it holds {form} files, "
            f"not one of {', '.join(FORMATS)}"
        )
    return _undecoded(builder.as_streaming_dataset(split=settings.split))


def _undecoded(dataset: Any) -> Iterable[dict[str, Any]]:
    """The rows with pictures and sound as they are stored: decoding opens what a row names."""
    rows: Iterable[dict[str, Any]] = dataset.decode(False) if dataset.features else dataset
    return rows


def _data_files(builder: "DatasetBuilder") -> list[str]:
    return [str(file) for files in (builder.config.data_files or {}).values() for file in files]


def _check_patterns(folder: Path, description: Any) -> None:
    """Refuse descriptions whose data files are outside of the folder."""
    if isinstance(description, dict):
        for key, value in description.items():
            if key in ("data_files", "data_dir", "path"):
                for pattern in _texts(value):
                    _inside(folder, pattern, folder)
            _check_patterns(folder, value)
    elif isinstance(description, list):
        for value in description:
            _check_patterns(folder, value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


def _inside(folder: Path, name: str, start: Path) -> Path:
    """The path that a name inside of the folder leads to, links followed.

    Raises:
        InputError: it leads out of the folder, or is an address.
    """
    found = (start / name).resolve()
    if "://" in name or "::" in name or not found.is_relative_to(folder):
        raise InputError(f"dataset {str(folder)!r} cannot be read: {name!r} is not in its folder")
    return found


def _front_matter(file: Path) -> Any:
    from huggingface_hub.repocard import REGEX_YAML_BLOCK  # what `datasets` reads

    text = _described(file).decode("utf-8", "replace")
    if file.suffix == ".md":
        found = REGEX_YAML_BLOCK.search(text)
        text = found[2] if found else ""
    return yaml.safe_load(text)


def _described(file: Path) -> bytes:
    with open_regular(file) as opened:
        data = opened.read(MAX_DESCRIPTION + 1)
    if len(data) > MAX_DESCRIPTION:
        raise InputError(f"{file} has more than {MAX_DESCRIPTION:,} bytes")
    return data
