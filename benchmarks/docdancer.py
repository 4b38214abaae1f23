"""DocDancer over made PDF surveys: what the questions are, what they cost, and simple baselines.

    python -m benchmarks.docdancer [--documents 12] [--pages 2000]

Runs the shipped recipe by the offline rules. Prints how accepted questions divide over templates,
pages, steps and answer formats; how a majority answer and cells by place score; model calls and
tokens bought for each accepted row; and seconds and memory of a tree of many pages with a search
and an outline over it.
"""

import argparse
import asyncio
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from synthmill.generators.docdancer.offline.reading import read_view
from synthmill.generators.docdancer.records import DocumentQuestionDetail
from synthmill.generators.docdancer.tools import search
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import start
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.sources.documents.views import outline_xml
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home
from tests.generators.docdancer.made_surveys import made_survey
from tests.generators.docdancer.made_trees import GAUGES, TreeWriter


def run(folder: Path, documents: int) -> tuple[RunReport, list[Row], float]:
    """The shipped recipe over so many surveys."""
    pdfs = folder / "pdf"
    pdfs.mkdir()
    for seed in range(1, documents + 1):
        (pdfs / f"s{seed}.pdf").write_bytes(made_survey(seed).pdf)
    shipped, home, begun = read_recipe("docdancer"), Home(folder / "home"), time.perf_counter()
    assert shipped.source is not None
    source = shipped.source.model_copy(update={"path": str(pdfs)})
    report = asyncio.run(start(shipped.model_copy(update={"source": source, "target": None}), home))
    rows = list(Dataset.open(home, shipped.output.dataset).rows(status=None))
    return report, rows, time.perf_counter() - begun


def show(name: str, values: Iterable[object]) -> None:
    """How values divide."""
    counts = Counter(map(str, values))
    total = sum(counts.values())
    shown = ", ".join(f"{value} {100 * n / total:.0f} %" for value, n in counts.most_common())
    print(f"{name:<14}{shown}")


def print_questions(rows: Sequence[Row]) -> None:
    """The accepted questions: distributions and baselines."""
    asked = [r for r in rows if r.kind == "rlvr" and r.status == "accepted"]
    details = [DocumentQuestionDetail.model_validate_json(row.detail) for row in asked]
    print(f"{len(asked)} accepted questions, {len({d.question for d in details})} different")
    show("templates", (d.template for d in details))
    show("formats", (d.answer_format for d in details))
    show("pages", (len(d.pages) for d in details))
    show("steps", (len(d.reasoning) for d in details))
    show("evidence", ("+".join(sorted(d.modalities)) for d in details))
    majority = Counter(row.answer for row in asked).most_common(1)[0]
    print(f"baselines     majority answer {majority[0]!r}: {majority[1] / len(asked):.3f}")
    tables = [read_view(sheet.xml for sheet in d.sheets).tables for d in details]
    cells = [[v for c in t[0].columns for _, v in t[0].column(c)] if t else [""] for t in tables]
    for place, at in (("first", 0), ("last", -1)):
        right = sum(one[at] == row.answer for one, row in zip(cells, asked, strict=True))
        print(f"              {place} cell of the first evidence table: {right / len(asked):.3f}")
    reasons = Counter(
        f"{v.filter}: {v.reason}" for row in rows for v in row.verdicts if v.status == "fail"
    )
    for reason, count in reasons.most_common():
        print(f"rejected      {count:>4}  {reason}")


def print_long_document(pages: int) -> None:
    """Seconds for a tree of many pages: built, searched, outlined; and peak memory."""
    out = TreeWriter()
    for number in range(1, pages + 1):
        out.heading(f"Part {number}")
        out.table(f"Table {number}: Gauges at rivers", GAUGES)
        out.paragraph("The river is quiet and wide here, and its gauge was moved. " * 20)
        if number < pages:
            out.page()
    document = out.document()
    begun = time.perf_counter()
    hits = search(document, "gauge", 512)
    searched = time.perf_counter() - begun
    begun = time.perf_counter()
    size = len(outline_xml(document))
    outlined = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{pages:,} pages: search {searched:.2f} s ({len(hits):,} hits), outline {outlined:.2f} s "
        f"({size:,} characters), peak {peak:.0f} MB"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=12)
    parser.add_argument("--pages", type=int, default=2000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report, rows, seconds = run(Path(folder), given.documents)
    print_questions(rows)
    bought = [usage.bought for usage in report.usage.values()]
    per_row = max(1, report.accepted)
    print(
        f"{report.accepted} accepted rows in {seconds:.1f} s: "
        f"{sum(u.calls for u in bought) / per_row:.1f} calls and "
        f"{sum(u.tokens for u in bought) / per_row:,.0f} tokens each"
    )
    print_long_document(given.pages)


if __name__ == "__main__":
    main()
