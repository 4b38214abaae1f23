"""A corpus on disk: passages as a memory-mapped Arrow file, made once per version.

<cache>/<version>/passages.arrow   the passages, in document order
<cache>/<version>/corpus.json      counts, settings, and what could not be read
<cache>/<version>/<index>/         indexes of retrievers over these passages

The version is a hash of the source's own version and of how it is cut, so a folder is never
changed once it exists: it is built under another name and then renamed.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol

import pyarrow as pa

from synthmill.runtime.files import atomic_directory
from synthmill.schemas.arrow import arrow_fields
from synthmill.schemas.base import Record
from synthmill.schemas.errors import InputError
from synthmill.schemas.identity import canonical_json, sha256_text
from synthmill.schemas.items import InvalidItem
from synthmill.sources.documents.chunking import Chunking, cut
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.passage import Passage

STORE_VERSION = 1
ROWS_AT_ONCE = 4096
MAX_FAULTS = 10_000  # ours: invalid items listed in corpus.json; all are counted

SCHEMA = pa.schema(arrow_fields(Passage))


class DocumentCollection(Protocol):
    """What a corpus is made from: a source of documents (`sources.base.DocumentSource`)."""

    name: ClassVar[str]

    def items(self) -> Iterator[Document | InvalidItem]:
        """The documents, read lazily."""

    def version(self) -> str:
        """A hash of everything that decides the documents."""


class CorpusFacts(Record):
    """Facts about a corpus that need no reading of its passages."""

    version: str
    documents: int
    passages: int
    chunking: Chunking
    faults: list[InvalidItem]
    fault_count: int


class Corpus:
    """The passages of a corpus by position; the file is mapped, not read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        text = (folder / "corpus.json").read_text(encoding="utf-8")
        self.facts = CorpusFacts.model_validate_json(text)
        with pa.memory_map(str(folder / "passages.arrow")) as file:
            self._table = pa.ipc.open_file(file).read_all()

    def __len__(self) -> int:
        return self.facts.passages

    def __getitem__(self, position: int) -> Passage:
        row = self._table.slice(position, 1).to_pylist()[0]
        return Passage.model_construct(**row)

    @property
    def version(self) -> str:
        """Identifies the passages: same version, same passages."""
        return self.facts.version

    def texts(self) -> Iterator[str]:
        """Title and text of every passage, as retrievers index them."""
        columns = self._table.select(["title", "text"])
        for batch in columns.to_batches(max_chunksize=ROWS_AT_ONCE):
            for title, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield titled(title, text)

    def titles(self) -> list[str]:
        """The title of every passage."""
        return list(self._table["title"].to_pylist())


def titled(title: str, text: str) -> str:
    """A passage as it is indexed and shown: `[title]`, then the text, as in the released code."""
    return f"[{title}]\n{text}"


def open_corpus(
    source: DocumentCollection,
    chunking: Chunking,
    cache: Path,
    report: Callable[[int], None] = lambda documents: None,
) -> Corpus:
    """The corpus of a source; built where its version is not in the folder `cache` yet.

    `report` is called with the number of documents read so far; an exception of it ends the
    building, which leaves nothing behind.

    Raises:
        InputError: the source cannot be read, or holds no text.
    """
    version = corpus_version(source, chunking)
    folder = cache / version
    built_once(folder, lambda new: _write(source, chunking, version, new, report))
    return Corpus(folder)


def corpus_version(source: DocumentCollection, chunking: Chunking) -> str:
    """Hash of the documents' version and of the chunking."""
    parts = {"store": STORE_VERSION, "source": source.name, "of": source.version()}
    return sha256_text(canonical_json({**parts, **chunking.model_dump()}))[:20]


def built_once(folder: Path, build: Callable[[Path], None]) -> None:
    """Create `folder` with `build`, atomically, unless it exists.

    Raises:
        InputError: it cannot be written.
    """
    if folder.exists():
        return
    try:
        with atomic_directory(folder) as new:
            build(new)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}") from error


def _write(
    source: DocumentCollection,
    chunking: Chunking,
    version: str,
    folder: Path,
    report: Callable[[int], None],
) -> None:
    documents = passages = fault_count = 0
    faults: list[InvalidItem] = []
    rows: list[dict[str, object]] = []
    with (
        pa.OSFile(str(folder / "passages.arrow"), "wb") as file,
        pa.ipc.new_file(file, SCHEMA) as out,
    ):
        for item in source.items():
            if isinstance(item, InvalidItem):
                fault_count += 1
                faults += [item] if len(faults) < MAX_FAULTS else []
                continue
            documents += 1
            report(documents)
            for passage in cut(item, chunking):
                passages += 1
                rows.append(dict(passage))
                if len(rows) == ROWS_AT_ONCE:
                    out.write_batch(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
                    rows = []
        if rows:
            out.write_batch(pa.RecordBatch.from_pylist(rows, schema=SCHEMA))
    if not passages:
        raise InputError(f"{source.name}: no document with text in it; {fault_count} unreadable")
    facts = CorpusFacts(
        version=version,
        documents=documents,
        passages=passages,
        chunking=chunking,
        faults=faults,
        fault_count=fault_count,
    )
    (folder / "corpus.json").write_text(facts.model_dump_json(indent=1), encoding="utf-8")
