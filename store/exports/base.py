"""The interface of exporters: pure functions from a row to a record of a trainer's data."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar, get_args

from synthmill.schemas import base
from synthmill.schemas.errors import InputError
from synthmill.schemas.plugins import explained, find_plugin, load_plugin
from synthmill.schemas.row import Kind, Row
from synthmill.schemas.validation import validated

if TYPE_CHECKING:
    from datasets import Features

S = TypeVar("S", bound=base.Settings)
FileFormat = Literal["parquet", "jsonl"]
PACKAGES = ("synthmill.store.exports",)


class ColumnarPart(NamedTuple):
    """Rows of one part that SQL converts: those that meet `where`, and each column's expression.

    SQL sees the columns of the stored row, where lists may be null. `features` must declare the
    same columns in the same order.
    """

    part: str
    where: str
    columns: Mapping[str, str]


class Exporter(ABC, Generic[S]):
    """Turns rows into records of one trainer.

    A trainer reads one shape of record at a time, so records go to parts: a part is a folder of
    files of one shape, with the columns that `features` declares for it.
    """

    name: ClassVar[str]
    kinds: ClassVar[frozenset[Kind]]
    Settings: ClassVar[type[Any]]

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @property
    def format(self) -> FileFormat:
        """The format of the files: the setting `format` where there is one, else Parquet."""
        return getattr(self.settings, "format", "parquet")

    @abstractmethod
    def part(self, row: Row) -> str:
        """The part a row of one of the exporter's kinds belongs to."""

    def select(self, rows: Iterable[Row]) -> Iterable[tuple[str, Row]]:
        """The rows to write, each with its part; every row once by default.

        An exporter of a dataset as a whole (a mixture with fixed proportions, say) overrides this:
        it may leave rows out, repeat them or write a row to several parts. `rows` is a stream in
        the order of the dataset; what is kept of it stays in memory.
        """
        return ((self.part(row), row) for row in rows)

    @abstractmethod
    def features(self, part: str) -> "Features | None":
        """The columns of a part, as `datasets` declares them; None: JSON lines with any keys."""

    def columnar(self) -> Sequence[ColumnarPart]:
        """The rows that SQL converts to the same records as `convert`, many times faster.

        None by default. All other rows go through `select` and `convert`, which also say which
        cannot be expressed. No row may meet two conditions.
        """
        return ()

    @abstractmethod
    def convert(self, row: Row) -> dict[str, Any] | None:
        """The record of a row, or None if this trainer cannot express the row."""


def columnar_parts(exporter: Exporter[Any]) -> Sequence[ColumnarPart]:
    """The parts that SQL converts: none where a subclass changed what they were written for."""
    family = type(exporter).__mro__
    changed = {"part", "select", "features", "convert"}
    for cls in family:
        if "columnar" in vars(cls):
            return exporter.columnar()
        if changed & vars(cls).keys():
            return ()
    return ()


class FunctionExporter(Exporter[base.Settings]):
    """A function `row -> dict | None` as an exporter: JSON lines of the records it returns.

    Rows of all kinds are shown to it, and go to one part, `rows`. None leaves a row out.
    """

    kinds = frozenset(get_args(Kind))
    Settings = base.Settings
    format: FileFormat = "jsonl"

    def __init__(self, settings: base.Settings, function: Callable[[Row], Any]) -> None:
        super().__init__(settings)
        self.name = str(getattr(function, "__name__", type(function).__name__))  # type: ignore[misc]
        self._function = function

    def part(self, row: Row) -> str:
        """All records are in one file for each split."""
        return "rows"

    def features(self, part: str) -> None:
        """The keys are those of the records."""
        return None

    def convert(self, row: Row) -> dict[str, Any] | None:
        """What the function returns.

        Raises:
            InputError: it raised, or returned something else than a dict or None.
        """
        try:
            record = self._function(row)
        except Exception as error:
            raise InputError(f"exporter {self.name!r}, row {row.id}: {explained(error)}") from error
        if not isinstance(record, dict | None):
            raise InputError(f"exporter {self.name!r} returned {record!r:.80}, not a dict or None")
        return record


def load_exporter(name: str, settings: dict[str, Any] | None = None) -> Exporter[Any]:
    """The exporter `name` with its settings; `./file.py:name` starts at the current folder.

    Raises:
        InputError: there is no such exporter, or a setting is wrong.
    """
    where = f"exporter {name!r}"
    if ":" in name:
        found = find_plugin(Exporter, name, PACKAGES)
        if callable(found) and not isinstance(found, type):
            return FunctionExporter(validated(base.Settings, settings or {}, where), found)
    loaded = load_plugin(Exporter, name, PACKAGES)  # type: ignore[type-abstract]
    return loaded(validated(loaded.Settings, settings or {}, where))
