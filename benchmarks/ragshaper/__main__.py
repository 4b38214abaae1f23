"""RAGShaper and its retrieval, measured: `python -m benchmarks.ragshaper`.

Retrieval: passages of a generated world are stored, indexed and asked, by our retriever and by
bm25s used bare on the same words. Method: the shipped recipe with the embedded model, rows a minute
and model calls for an accepted row.
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import bm25s
import click

from synthmill.generators.retrieval.bm25 import Bm25Retriever, words
from synthmill.generators.retrieval.calibration import CalibrationSettings, calibrate
from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import start
from synthmill.schemas.recipe import Recipe
from synthmill.sources.documents.chunking import Chunking
from synthmill.sources.documents.corpus import Corpus, open_corpus
from synthmill.sources.world import WorldSettings, WorldSource
from synthmill.store.home import Home

T = TypeVar("T")
PASSAGES_OF_SIZE_1 = 359
QUERIES = 500
K = 5


@click.command()
@click.option("--passages", default=100_000, show_default=True)
@click.option("--rows", default=150, show_default=True, help="accepted rows of the run")
def main(passages: int, rows: int) -> None:
    """Print what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_retrieval(passages, Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_method(rows, Path(folder)))


async def _retrieval(passages: int, folder: Path) -> None:
    source = WorldSource(WorldSettings(seed=1, size=passages / PASSAGES_OF_SIZE_1))
    corpus, seconds = _timed(lambda: open_corpus(source, Chunking(), folder))
    print(f"corpus      {len(corpus):,} passages told, cut and stored in {seconds}")
    ours, seconds = _timed(lambda: Bm25Retriever(corpus))
    print(f"index       ours {seconds}, {_peak()} MB at most so far", flush=True)
    _, reopened = _timed(lambda: Bm25Retriever(corpus))
    bare, seconds = _timed(lambda: _bare(corpus))
    print(f"            bm25s bare on the same words {seconds}; ours reopened {reopened}")
    begun = time.perf_counter()
    found = await calibrate(corpus, ours, CalibrationSettings())
    print(f"threshold   tau {found.tau:.3f} in {time.perf_counter() - begun:.1f} s")
    queries = _queries(corpus)
    begun = time.process_time()
    hits = [await ours.search(query, K) for query in queries]
    own = QUERIES / (time.process_time() - begun)
    begun = time.process_time()
    plain = [bare.retrieve([words(query)], k=K, show_progress=False) for query in queries]
    other = QUERIES / (time.process_time() - begun)
    print(f"queries     a second of processor: ours {own:.0f}, bm25s bare {other:.0f}")
    same = sum(
        hits_[0].position == documents[0][0]
        for hits_, (documents, _) in zip(hits, plain, strict=True)
    )
    print(f"            first hit the same for {same} of {QUERIES} (the rest are ties)")


def _bare(corpus: Corpus) -> Any:
    index = bm25s.BM25(k1=1.2, b=0.75, method="lucene")
    index.index([words(text) for text in corpus.texts()], show_progress=False)
    return index


def _queries(corpus: Corpus) -> list[str]:
    """Openings of passages, cut at a length of questions."""
    rng = Random(0)
    return [corpus[rng.randrange(len(corpus))].text[2:90] for _ in range(QUERIES)]


async def _method(rows: int, folder: Path) -> None:
    shipped = read_recipe("ragshaper").model_dump(mode="json")
    recipe = Recipe.model_validate({**shipped, "target": rows})
    begun = time.perf_counter()
    report = await start(recipe, Home(folder / "home"))
    minutes = (time.perf_counter() - begun) / 60
    calls = sum(usage.asked.calls for usage in report.usage.values())
    print(
        f"method      {report.accepted} rows ({_kinds(report.by_kind)}) in {60 * minutes:.0f} s: "
        f"{report.accepted / minutes:.0f} rows/minute, {calls / report.accepted:.1f} model calls "
        "for an accepted row"
    )


def _kinds(by_kind: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(by_kind.items()))


def _timed(work: Callable[[], T]) -> tuple[T, str]:
    """What the work made, and how long it took: by the clock, and on the processor."""
    begun, spent = time.perf_counter(), time.process_time()
    made = work()
    clock, processor = time.perf_counter() - begun, time.process_time() - spent
    return made, f"{clock:.1f} s (processor {processor:.1f} s)"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
