"""Parsed documents in the cache: written once per content, parser and settings, read lazily.

<cache>/documents/<key>/text.txt        the text, UTF-8
<cache>/documents/<key>/pages.json      title and pages
<cache>/documents/<key>/elements.jsonl  one element a line
<cache>/documents/<key>/lines.npy       where each line begins

The text is held in memory; elements are decoded from the mapped file when they are asked for, so a
document of thousands of pages costs about what its text does.
"""

import atexit
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np
import orjson

from synthmill.sources.documents import elements as element_types
from synthmill.sources.documents.elements import (
    BoundingBox,
    Cell,
    Element,
    ListItem,
    Page,
)

STORE_VERSION = 1  # raised when the files below change their form


class ParsedTree(NamedTuple):
    """What a parser finds in a file; offsets count in `text`."""

    title: str
    text: str
    pages: tuple[Page, ...]
    elements: Sequence[Element]


def write_tree(folder: Path, tree: ParsedTree) -> None:
    """Write a tree into an existing folder.

    Raises:
        OSError: it cannot be written.
    """
    starts = [0]
    with (folder / "elements.jsonl").open("wb") as file:
        for element in tree.elements:
            line = orjson.dumps([type(element).__name__, _fields(element)], default=tuple)
            starts.append(starts[-1] + file.write(line + b"\n"))
    np.save(folder / "lines.npy", np.array(starts, dtype=np.uint64))
    (folder / "text.txt").write_text(tree.text, encoding="utf-8", newline="")
    facts = {"title": tree.title, "pages": [tuple(page) for page in tree.pages]}
    (folder / "pages.json").write_bytes(orjson.dumps(facts))


def read_tree(folder: Path) -> ParsedTree:
    """A tree that was written; its elements are read when they are needed.

    Raises:
        OSError, ValueError: it cannot be read.
    """
    facts = orjson.loads((folder / "pages.json").read_bytes())
    with (folder / "text.txt").open(encoding="utf-8", newline="") as file:
        text = file.read()
    pages = tuple(Page(*page) for page in facts["pages"])
    return ParsedTree(facts["title"], text, pages, StoredElements(folder))


class StoredElements(Sequence[Element]):
    """The elements in a folder, decoded one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @overload
    def __getitem__(self, place: int) -> Element: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Element]: ...

    def __getitem__(self, place: int | slice) -> Element | Sequence[Element]:
        if isinstance(place, slice):
            return [self._decoded(at) for at in range(*place.indices(len(self)))]
        at = place + len(self) if place < 0 else place
        if not 0 <= at < len(self):
            raise IndexError(place)
        return self._decoded(at)

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[Element]:
        return map(self._decoded, range(len(self)))

    def __reduce__(self) -> tuple[type["StoredElements"], tuple[Path]]:
        """A copy in another process maps the same file."""
        return type(self), (self._folder,)

    def _decoded(self, at: int) -> Element:
        start, end = int(self._starts[at]), int(self._starts[at + 1])
        name, fields = orjson.loads(self._bytes[start:end].tobytes())
        return _element(name, fields)

    @cached_property
    def _starts(self) -> Any:
        return np.load(self._folder / "lines.npy", mmap_mode="r")

    @cached_property
    def _bytes(self) -> Any:
        path = self._folder / "elements.jsonl"
        empty = path.stat().st_size == 0
        return np.zeros(0, np.uint8) if empty else np.memmap(path, dtype=np.uint8, mode="r")


@cache
def temporary_cache() -> Path:
    """A cache folder of this process, for callers without a home; removed when it ends."""
    folder = Path(tempfile.mkdtemp(prefix="synthmill-documents-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _fields(element: Element) -> dict[str, Any]:
    names = [name for part in type(element).__mro__ for name in getattr(part, "__slots__", ())]
    return {name: value for name in names if (value := getattr(element, name)) is not None}


def _element(name: str, fields: dict[str, Any]) -> Element:
    for box in ("box", "caption_box"):
        if fields.get(box) is not None:
            fields[box] = BoundingBox(*fields[box])
    if "cells" in fields:
        cells = (Cell(*cell) for cell in fields["cells"])
        fields["cells"] = tuple(
            cell._replace(box=BoundingBox(*cell.box)) if cell.box is not None else cell
            for cell in cells
        )
    if "items" in fields:
        fields["items"] = tuple(ListItem(*item) for item in fields["items"])
    if "marks" in fields:
        fields["marks"] = tuple(fields["marks"])
    element: Element = getattr(element_types, name)(**fields)
    return element
