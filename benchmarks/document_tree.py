"""Pages a second of the PDF tree against the library it is made with, and memory on a long file.

    python -m benchmarks.document_tree [--pages 2000] [FILE.pdf]

Without a file, a report with tables, charts and footnotes is repeated. In one process, in turns:

* text: pypdfium2's text of each page, nothing else;
* bare: what the tree needs of the library, by pypdfium2's own functions: the box of each word and
  the bounds of each drawn object;
* tree: words, drawings, layout and elements.

Then the file is parsed as a source does it, in a worker into a new cache folder, and read back;
printed is the memory of this process, also while all elements are walked through.
"""

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from synthmill.sources.corpus import CorpusSettings, CorpusSource
from synthmill.sources.documents.document import Document
from synthmill.sources.documents.parsers.pypdfium2 import PdfParserSettings, pdf_tree
from synthmill.sources.reading.files import InputFile
from tests.made_documents import made_report

SPEED_PAGES = 60  # pages for the comparison of speeds
ROUNDS = 3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--pages", type=int, default=2000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.file
        if path is None:
            path = Path(folder) / "made.pdf"
            path.write_bytes(made_report(1, sections=options.pages).pdf)  # a page a section
        speeds(path)
        memory(path, Path(folder) / "cache")


def speeds(path: Path) -> None:
    """Print pages a second of CPU time; the best of several rounds, in turns."""
    import pypdfium2

    count = min(SPEED_PAGES, len(pypdfium2.PdfDocument(path)))
    file = InputFile(path, path.name, max_bytes=1 << 30)

    def each_page(work: Callable[[Any], object]) -> None:
        opened = pypdfium2.PdfDocument(path)
        for number in range(count):
            page = opened[number]
            work(page)
            page.close()

    ways: dict[str, Callable[[], object]] = {
        "text": lambda: each_page(lambda page: page.get_textpage().get_text_range()),
        "bare": lambda: each_page(words_and_objects),
        "tree": lambda: pdf_tree(file, PdfParserSettings(max_pages=count)),
    }
    best = dict.fromkeys(ways, 0.0)
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = time.process_time()
            way()
            best[name] = max(best[name], count / (time.process_time() - begun))
    for name, rate in best.items():
        print(f"{name}: {rate:,.0f} pages/s of CPU time")
    print(f"tree against bare: {best['tree'] / best['bare']:.2f}")


def words_and_objects(page: Any) -> int:
    """The box of each word and the bounds of each object of a page, by pypdfium2's functions."""
    layer = page.get_textpage()
    found = 0
    for word in re.finditer(r"\S+", layer.get_text_range()):
        count = layer.count_rects(word.start(), word.end() - word.start())
        boxes = [layer.get_rect(at) for at in range(count)]
        found += len(boxes)
    for drawn in page.get_objects(max_depth=2):
        found += drawn.get_bounds() is not None
    layer.close()
    return found


def memory(path: Path, cache: Path) -> None:
    """Print what parsing a whole file in a worker takes, and what reading it back does."""
    source = CorpusSource(CorpusSettings(path=path, max_bytes=1 << 30))
    source.cache = cache
    before = resident_mb()
    begun = time.monotonic()
    (document,) = source.items()
    seconds = time.monotonic() - begun
    if not isinstance(document, Document):
        raise SystemExit(f"{path}: {document.reason}: {document.detail}")
    after = resident_mb()
    elements = sum(1 for _ in document.elements)
    walked = resident_mb()
    print(f"{len(document.pages):,} pages, {elements:,} elements parsed in {seconds:.0f} s")
    print(
        f"this process: {before:.0f} MB, with the document {after:.0f} MB, walked {walked:.0f} MB"
    )
    begun = time.monotonic()
    (again,) = source.items()
    assert isinstance(again, Document)
    sections = len(again.sections)
    print(f"read from the cache with its {sections:,} sections in {time.monotonic() - begun:.1f} s")


def resident_mb() -> float:
    """The resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
