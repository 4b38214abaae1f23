"""The interface of exporters: pure functions from a row to a record of a trainer's data."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from synthmill.schemas.base import Settings
from synthmill.schemas.plugins import load_plugin
from synthmill.schemas.row import Kind, Row
from synthmill.schemas.validation import validated

if TYPE_CHECKING:
    from datasets import Features

S = TypeVar("S", bound=Settings)
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
    def features(self, part: str) -> "Features":
        """The columns of a part, as `datasets` declares them."""

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


def load_exporter(name: str, settings: dict[str, Any] | None = None) -> Exporter[Any]:
    """The exporter `name` with its settings.

    Raises:
        InputError: there is no such exporter, or a setting is wrong.
    """
    found = load_plugin(Exporter, name, PACKAGES)  # type: ignore[type-abstract]
    return found(validated(found.Settings, settings or {}, f"exporter {name!r}"))
