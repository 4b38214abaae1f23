"""The interface of document parsers, their selection by suffix, and their shared functions."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import Field, model_validator

from synthmill.runtime.workers import Limits, WorkerError, WorkerTimeout, shared_pool
from synthmill.schemas.base import Record, Settings
from synthmill.schemas.errors import InputError, nearest
from synthmill.schemas.identity import sha256_text
from synthmill.schemas.items import InvalidItem
from synthmill.schemas.lineage import SourceRef, storable
from synthmill.schemas.plugins import available, load_plugin
from synthmill.schemas.validation import validated
from synthmill.sources.documents.document import Document, OriginalFile, Structure
from synthmill.sources.documents.elements import Element, Page
from synthmill.sources.documents.structure import paragraphs
from synthmill.sources.reading.files import InputFile, Unreadable

PACKAGES = ("synthmill.sources.documents.parsers",)
# Ours: characters kept of a title or license. Every passage carries both, so a title of a megabyte
# would make a terabyte of passages.
MAX_TITLE = 500
MAX_TITLE_LINE = 120  # ours: a longer first line is not a title

S = TypeVar("S", bound=Settings)
T = TypeVar("T")


class WorkerSettings(Settings):
    """Limits of a parser that runs in a process of its own. All are ours."""

    seconds: float = Field(default=60.0, gt=0, description="time limit of one file")
    memory_mb: int = Field(default=1024, gt=0, description="memory limit of one file")


class DocumentParser(ABC, Generic[S]):
    """Turns a file into documents.

    Several parsers may read one suffix: the recipe names one of them, else the one that is
    `by_default` is taken. `version` is raised when the same file would give another tree. A parser
    of untrusted binary or nested forms does its work in `run_in_worker`. `cache` is the cache
    folder of the home, where there is one.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    version: ClassVar[int] = 1
    by_default: ClassVar[bool] = True
    Settings: ClassVar[type[Any]] = Settings
    cache: Path | None = None

    def __init__(self, settings: S) -> None:
        self.settings = settings

    @abstractmethod
    def parse(self, file: InputFile) -> Iterator[Document | InvalidItem]:
        """The documents of a file; a record that cannot be read is an invalid item in its place.

        Raises:
            Unreadable: the file as a whole cannot be read.
            InputError: a library that the parser needs is not installed.
        """


class ParserSpec(Record):
    """A parser named in a recipe; without a name it is the default parser of the suffix."""

    name: str | None = None
    settings: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value


def parsers_by_suffix(
    specs: Mapping[str, ParserSpec], folder: Path | None = None
) -> dict[str, DocumentParser[Any]]:
    """The parser of each suffix, chosen by `specs` (by suffix) or by default.

    A user's own parsers are looked for in `folder` first.

    Raises:
        InputError: a suffix that nothing reads, an unknown parser or one for other suffixes, or
            several that read a suffix by default.
    """
    known = [_parser_class(name) for name in available(DocumentParser, PACKAGES)]
    classes: dict[str, type[DocumentParser[Any]]] = {}
    for found in known:
        for suffix in found.suffixes if found.by_default else ():
            other = classes.setdefault(suffix, found)
            if other is not found and not (suffix in specs and specs[suffix].name):
                raise InputError(
                    f"parsers: both {other.name!r} and {found.name!r} read {suffix}; name one"
                )
    for suffix, spec in specs.items():
        if spec.name is not None:
            classes[suffix] = _parser_class(spec.name, folder)
            if suffix not in classes[suffix].suffixes:
                reads = ", ".join(classes[suffix].suffixes)
                raise InputError(f"parsers: {spec.name!r} does not read {suffix!r} but {reads}")
        elif suffix not in classes:
            raise InputError(f"parsers: nothing reads {suffix!r}{nearest(suffix, classes)}")
    return {
        suffix: found(
            validated(
                found.Settings,
                specs[suffix].settings if suffix in specs else {},
                f"parsers: {suffix}: {found.name}",
            )
        )
        for suffix, found in classes.items()
    }


def _parser_class(name: str, folder: Path | None = None) -> type[DocumentParser[Any]]:
    return load_plugin(DocumentParser, name, PACKAGES, folder=folder)  # type: ignore[type-abstract]


def document_of(
    file: InputFile,
    text: str,
    title: str | None,
    *,
    record: int | None = None,
    license: str | None = None,
    pages: tuple[Page, ...] = (),
    structure: Structure = paragraphs,
    original: OriginalFile | None = None,
) -> Document | InvalidItem:
    """The document in a file, or in one of its records; invalid where it holds no text.

    Without a title, a short first line serves as title, else the file's name.
    """
    if not text or text.isspace():
        return invalid_item(file, Unreadable("empty document", "no text"), record)
    return Document(
        key=_name(file.name, record),
        uri=_name(file.path.as_posix(), record),
        # On one line: prompts name a document by its title outside of any delimiters.
        title=" ".join((title or _first_line(text) or file.stem).splitlines())[:MAX_TITLE],
        text=text,
        license=(license or "")[:MAX_TITLE] or file.license,
        pages=pages,
        structure=structure,
        original=original,
    )


def invalid_item(file: InputFile, fault: Unreadable, record: int | None = None) -> InvalidItem:
    """The item that replaces a document that cannot be read."""
    uri = _name(file.path.as_posix(), record)
    return InvalidItem(
        key=sha256_text(uri)[:20],
        reason=fault.reason,
        detail=f"{uri}: {fault}",
        origin=SourceRef(uri=uri, license=file.license),
    )


def run_in_worker(form: str, parse: Callable[..., T], *args: object, settings: WorkerSettings) -> T:
    """`run_limited` within the limits of a parser's settings."""
    limits = Limits(seconds=settings.seconds, memory_mb=settings.memory_mb)
    return run_limited(form, parse, *args, limits=limits)


def run_limited(form: str, parse: Callable[..., T], *args: object, limits: Limits) -> T:
    """The result of ``parse(*args)``; `parse` is a module-level function, `form` names the format.

    Raises:
        Unreadable: it raised, exceeded a limit, or crashed.
        InputError: something that it needs is not installed.
    """
    try:
        return shared_pool().run_blocking(parse, *args, limits=limits)
    except WorkerTimeout:
        raise Unreadable(f"{form} took too long", f"more than {limits.seconds:g} s") from None
    except WorkerError as error:
        raise Unreadable(f"{form} broke its reader", str(error)) from None
    except (Unreadable, InputError):
        raise
    except Exception as error:
        raise Unreadable(f"unreadable {form}", f"{type(error).__name__}: {error}") from error


@dataclass(frozen=True)
class ParsedLater:
    """A structure that takes a second, slower parse of the file, done when it is first needed.

    ``parse(read(file), *args)`` returns text and elements; it runs in a worker.
    """

    form: str
    parse: Callable[..., tuple[str, tuple[Element, ...]]]
    file: InputFile
    read: Callable[[InputFile], str | bytes]
    settings: WorkerSettings
    args: tuple[object, ...] = ()

    def __call__(self, text: str) -> tuple[Element, ...]:
        """The elements of the text.

        Raises:
            Unreadable: parsing exceeded a limit, or the file has changed.
        """
        data = self.read(self.file)
        found, elements = run_in_worker(
            self.form, self.parse, data, *self.args, settings=self.settings
        )
        if found != text:
            raise Unreadable("file changed", "it holds other text than when it was first read")
        return elements


def require(library: str, file: InputFile, form: str) -> None:
    """Raises InputError where a library of the extra `documents` is not installed."""
    if find_spec(library) is None:
        raise InputError(
            f"{file.name}: {form} needs the extra 'documents': pip install 'synthmill[documents]'"
        )


def _name(file: str, record: int | None) -> str:
    return storable(file) if record is None else f"{storable(file)}#{record}"


def _first_line(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= MAX_TITLE_LINE else ""
