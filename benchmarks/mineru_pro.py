"""MinerU-Pro on made pages with known truth: speed of engines, precision of labels, calibration.

    python -m benchmarks.mineru_pro [PAGES]

Half of the pages are scans (noise of three strengths, some turned by half a degree), half are
pages of a PDF. Thresholds are fitted to a third of them, and the precision of labels is that of
the others. Printed: pages per second of each engine, in a worker and without one; OmniDocBench's
score of each engine and of the consensus; labels by tier and sub-task; and the share of time
that matching and metrics take.
"""

import asyncio
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from synthmill.generators.mineru_pro.calibration import RIGHT, fit, judged, wilson
from synthmill.generators.mineru_pro.consistency import THRESHOLDS, conclude, page_consensus
from synthmill.generators.mineru_pro.omnidocbench import PageScore, benchmark_score, score_page
from synthmill.generators.mineru_pro.page_parsers import Run, families, in_points, read_page
from synthmill.generators.mineru_pro.records import PageElement, ParsedPage
from synthmill.generators.mineru_pro.settings import Reading
from synthmill.runtime.workers import WorkerPool
from synthmill.sources.documents.blocks import page_blocks
from synthmill.sources.documents.ocr.base import read_text
from synthmill.sources.pages import PageFile, PagesSettings, PagesSource
from tests.generators.mineru_pro import made_pages

ENGINES = ["rapidocr", "tesseract", "ocrad", "text_layer"]
TARGET = "rapidocr"
NOISE = (6, 20, 35)


async def main(count: int) -> None:
    """Make the pages, read them, and print the tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        truth = make(folder, count)
        pages = [
            p for p in PagesSource(PagesSettings(path=folder)).items() if isinstance(p, PageFile)
        ]
        print(f"{len(pages)} pages, {sum(map(len, truth.values()))} elements, target {TARGET}\n")
        reading = Reading()
        async with WorkerPool(2) as pool:
            run = Run(pool.run, reading)
            started = time.perf_counter()
            read = [await read_page(page, families(ENGINES), run) for page in pages]
            seconds = time.perf_counter() - started
        speed(pages, [r.png for r in read], [r.scale for r in read])
        print(f"all engines together, 2 workers: {len(pages) / seconds:.2f} pages/s\n")
        started = time.perf_counter()
        found = [
            page_consensus(r.parsed, TARGET, THRESHOLDS, (p.width, p.height))
            for p, r in zip(pages, read, strict=True)
        ]
        matching = time.perf_counter() - started
        print(f"matching and metrics: {1000 * matching / len(pages):.1f} ms/page, ")
        print(f"{100 * matching / (matching + seconds):.1f} % of the time\n")
        labels(pages, found, truth)
        scores(pages, [r.parsed for r in read], found, truth)


def make(folder: Path, count: int) -> dict[tuple[str, int], list[PageElement]]:
    """Write the pages; their elements by file and number."""
    truth = {}
    layered = [made_pages.made_page(seed, columns=1 + seed % 2) for seed in range(count // 2)]
    (folder / "report.pdf").write_bytes(made_pages.pdf_of(layered))
    for number, page in enumerate(layered, start=1):
        truth["report.pdf", number] = made_pages.elements(page)
    for seed in range(count - count // 2):
        page = made_pages.made_page(1000 + seed, columns=1 + seed % 2, tables=1 + seed % 3)
        turn = 0.5 * (seed % 4 == 3)
        png = made_pages.scan_of(page, seed, noise=NOISE[seed % len(NOISE)], turn=turn)
        (folder / f"scan{seed:03d}.png").write_bytes(png)
        truth[f"scan{seed:03d}.png", 1] = made_pages.elements(page)
    return truth


def speed(pages: list[PageFile], pngs: list[bytes], scales: list[float]) -> None:
    """Seconds per page of each OCR engine in this process, and of making blocks."""
    print(f"{'engine':12} pages/s, alone in one process")
    for engine in ENGINES[:-1]:
        read_text(engine, pngs[0])  # loads it
        started = time.perf_counter()
        pieces = [read_text(engine, png) for png in pngs[:6]]
        print(f"{engine:12} {len(pieces) / (time.perf_counter() - started):.2f}")
    started = time.perf_counter()
    for page, found, scale in zip(pages, pieces, scales, strict=False):
        page_blocks(in_points(found, scale), page.width)
    print(f"{'blocks':12} {len(pieces) / (time.perf_counter() - started):.0f}")


def labels(pages, found, truth) -> None:  # type: ignore[no-untyped-def]
    """Precision of labels on the pages that the thresholds were not fitted to."""
    regions = [
        [judged(c, truth[Path(p.path).name, p.number], (p.width, p.height)) for c in conclusions]
        for p, conclusions in zip(pages, found, strict=True)
    ]
    fitted = [r for place, page in enumerate(regions) if place % 3 == 0 for r in page]
    held_out = [r for place, page in enumerate(regions) if place % 3 for r in page]
    calibration = fit(fitted, TARGET, 0.98, len(regions[::3]))
    thresholds = calibration.thresholds(THRESHOLDS)
    print("thresholds fitted to a precision of 0.98:")
    for task, result in calibration.sub_tasks.items():
        reached = "" if result.reached else " (not reached)"
        print(f"  {task:8} {result.threshold:.2f} of {result.regions} regions{reached}")
    for name, chosen in (("default", THRESHOLDS), ("fitted", thresholds)):
        counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        for region in held_out:
            c = region.consensus
            again = conclude(c.task, c.kind, c.box, c.votes, TARGET, chosen, c.similarities)
            counts[c.task, again.tier][0] += again.label_from in region.right
            counts[c.task, again.tier][1] += 1
        print(f"\nlabels of pages not fitted to, {name} thresholds (right from {RIGHT} on)")
        print(f"{'sub-task':10}{'tier':8}{'regions':>8}{'right':>7}  precision (95 %)")
        for (name, tier), (right, total) in sorted(counts.items()):
            low, high = wilson(right, total)
            share = "no label" if tier == "hard" else f"{right / total:.3f} ({low:.3f}-{high:.3f})"
            print(f"{name:10}{tier:8}{total:8}{right if tier != 'hard' else '':>7}  {share}")


def scores(pages, parsed, found, truth) -> None:  # type: ignore[no-untyped-def]
    """OmniDocBench's score of each engine on the pages it reads, and of the consensus."""
    print(
        f"\n{'parser':12}{'pages':>6}{'text edit':>11}{'TEDS':>8}{'order edit':>12}{'overall':>9}"
    )
    by_parser: dict[str, list[PageScore]] = defaultdict(list)
    for page, several, conclusions in zip(pages, parsed, found, strict=True):
        name, elements = f"{page.path}#{page.number}", truth[Path(page.path).name, page.number]
        for one in several:
            if not one.absent:
                by_parser[one.parser].append(score_page(name, elements, one.elements))
        chosen = consensus_page(conclusions)
        by_parser["consensus"].append(score_page(name, elements, chosen.elements))
    for parser, results in by_parser.items():
        total = benchmark_score(results)
        print(
            f"{parser:12}{total.pages:6}{total.text_edit:11.4f}{total.table_teds:8.2f}"
            f"{total.order_edit:12.4f}{total.overall:9.2f}"
        )


def consensus_page(conclusions) -> ParsedPage:  # type: ignore[no-untyped-def]
    """The labels of a page, and what the target alone found where there is none."""
    elements = tuple(
        PageElement(kind=c.kind, box=c.box, content=c.label or c.votes[0].content)
        for c in conclusions
        if c.task != "layout" and (c.label or c.votes[0].parser == TARGET)
    )
    return ParsedPage(parser="consensus", family="consensus", elements=elements)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 24))
