"""Near-duplicate look-ups of a new batch against a large index, beside rensa's own deduplicator.

    python benchmarks/near_duplicates.py                         # a million rows, about 15 minutes
    python benchmarks/near_duplicates.py --rows 100000 --batch 10000
    python benchmarks/near_duplicates.py --shingles              # ways to make shingles, a minute

Texts are random words whose frequencies fall as in natural text. A fifth of the batch are rows of
the index with three words changed; the others are new. Each side runs in a process of its own, so
that memory is told apart; making texts is not timed, shingling is. Rates are rows in a second of
processor time, so that a busy machine does not distort them; saving and opening is real time.
"""

import argparse
import re
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from zlib import crc32

import numpy as np
from rensa import RMinHashDeduplicator
from rich.console import Console
from rich.progress import track
from rich.table import Table

from synthmill.filters.diversity.minhash import Minhash, shingles
from synthmill.filters.index import DatasetIndex
from synthmill.schemas.messages import assistant
from synthmill.schemas.row import Candidate

BLOCK = 1000
VOCABULARY = 50_000
CHANGED_WORDS = 3
COPIES = 5  # one in so many rows of the batch is a near-copy
FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
CONSOLE = Console(stderr=True)


@dataclass
class Result:
    """What one side did: rates in rows a second, memory in MB above an idle interpreter."""

    name: str
    build: float
    look_up: float
    found: int
    false_alarms: int
    memory: float
    peak: float
    saved: str = "cannot"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the index")
    parser.add_argument("--batch", type=int, default=100_000, help="rows to look up")
    parser.add_argument("--words", type=int, default=300, help="words of a text")
    parser.add_argument("--shingles", action="store_true", help="only compare ways to shingle")
    parser.add_argument("--ours-only", action="store_true", help="leave rensa's own index out")
    options = parser.parse_args()
    if options.shingles:
        compare_shingles(options.words)
        return
    sides = [ours] if options.ours_only else [ours, rensas]
    results = []
    for side in sides:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            work = fresh.submit(side, options.rows, options.batch, options.words)
            results.append(work.result())
    report(results, options.rows, options.batch, options.words)


def report(results: list[Result], rows: int, batch: int, words: int) -> None:
    """Print the table."""
    copies = batch // COPIES
    table = Table(title=f"{batch:,} new rows against {rows:,} rows of {words} words")
    for column in ("", "build rows/s", "look up + add rows/s", "copies found", "false alarms"):
        table.add_column(column, justify="right")
    for column in ("memory MB", "peak MB", "save, open, disk"):
        table.add_column(column, justify="right")
    for r in results:
        table.add_row(
            r.name,
            f"{r.build:,.0f}",
            f"{r.look_up:,.0f}",
            f"{r.found:,} of {copies:,}",
            f"{r.false_alarms:,}",
            f"{r.memory:,.0f}",
            f"{r.peak:,.0f}",
            r.saved,
        )
    Console(width=150).print(table)


def ours(rows: int, batch: int, words: int) -> Result:
    """The `minhash` filter as the engine uses it: judge, and add what passes."""
    judge, idle, spent = Minhash(), memory(), 0.0
    for start in track(range(0, rows, BLOCK), "minhash: build", console=CONSOLE):
        candidates = [candidate(text) for text in texts(start, words)]
        began = time.process_time()
        for number, one in enumerate(candidates[: rows - start], start):
            judge.add(str(number), one)
        spent += time.process_time() - began
    result = Result("synthmill minhash", rows / spent, 0, 0, 0, memory() - idle, 0)
    spent = 0.0
    blocks = new_rows(rows, batch, words)
    for block in track(blocks, "minhash: look up", total=batch // BLOCK, console=CONSOLE):
        pairs = [(source, candidate(text)) for source, text in block]
        began = time.process_time()
        for source, one in pairs:
            verdict = judge.judge(one)
            if verdict.status == "pass":
                judge.add("new", one)
            else:
                right = source and (verdict.detail or "").startswith(f"row {source},")
                result.found += bool(right)
                result.false_alarms += not right
        spent += time.process_time() - began
    result.look_up = batch / spent
    result.saved = save_and_open(judge)
    result.peak = peak() - idle
    return result


def rensas(rows: int, batch: int, words: int) -> Result:
    """Rensa's deduplicator with the same parameters, fed with joined words."""
    known = RMinHashDeduplicator(threshold=0.76, num_perm=128, use_lsh=True, num_bands=32)
    idle, spent = memory(), 0.0
    for start in track(range(0, rows, BLOCK), "rensa: build", console=CONSOLE):
        block = texts(start, words)[: rows - start]
        began = time.process_time()
        known.add_pairs([(str(start + i), joined(text)) for i, text in enumerate(block)])
        spent += time.process_time() - began
    result = Result("rensa deduplicator", rows / spent, 0, 0, 0, memory() - idle, 0)
    spent, number = 0.0, rows
    blocks = new_rows(rows, batch, words)
    for pairs in track(blocks, "rensa: look up", total=batch // BLOCK, console=CONSOLE):
        began = time.process_time()
        kept = known.add_pairs([(str(number + i), joined(t)) for i, (_, t) in enumerate(pairs)])
        spent += time.process_time() - began
        number += len(pairs)
        for (source, _), new in zip(pairs, kept, strict=True):
            result.found += bool(source and not new)
            result.false_alarms += not source and not new
    result.look_up, result.peak = batch / spent, peak() - idle
    return result


def save_and_open(judge: Minhash) -> str:
    """Seconds to write the whole index and to read it again, and its size on disk."""
    with tempfile.TemporaryDirectory() as folder:
        index = DatasetIndex(Path(folder), judge)
        began = time.perf_counter()
        index.save(1)
        written = time.perf_counter()
        size = sum(path.stat().st_size for path in Path(folder).iterdir()) / 1e6
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as fresh:
            opened = fresh.submit(open_again, folder).result()
        return f"{written - began:.1f} s, {opened:.1f} s, {size:,.0f} MB"


def open_again(folder: str) -> float:
    """Seconds to open a saved index in a fresh process."""
    began = time.perf_counter()
    DatasetIndex.open(Path(folder), Minhash())
    return time.perf_counter() - began


def candidate(text: str) -> Candidate:
    """A row with nothing but this text."""
    return Candidate(kind="sft", messages=[assistant(text)])


@cache
def vocabulary() -> list[str]:
    """Random words, the same in every process."""
    rng = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    return ["".join(rng.choice(letters, size)) for size in rng.integers(2, 11, VOCABULARY)]


def texts(start: int, words: int) -> list[str]:
    """`BLOCK` texts, those of the rows from `start` on; the same call gives the same texts."""
    rng = np.random.default_rng(start + 1)
    # A uniform exponent makes the chance of a word fall with its rank.
    ranks = (VOCABULARY ** rng.random((BLOCK, words))).astype(np.int64) - 1
    known = vocabulary()
    return [" ".join([known[rank] for rank in row]) for row in ranks.tolist()]


def new_rows(rows: int, batch: int, words: int) -> Iterator[list[tuple[str, str]]]:
    """The batch in blocks: pairs of the row copied (or "") and the text."""
    for start in range(0, batch, BLOCK):
        # Copies come from blocks that are spread over the whole index.
        source = start * rows // batch // BLOCK * BLOCK
        block = block_of_new_rows(rows + start, source, words)
        yield list(islice(block, min(BLOCK, batch - start)))


def block_of_new_rows(start: int, source: int, words: int) -> Iterator[tuple[str, str]]:
    """New texts, every fifth of them a row of the index with three words changed."""
    fresh, old, rng = texts(start, words), texts(source, words), np.random.default_rng(start)
    for i in range(BLOCK):
        if i % COPIES:
            yield "", fresh[i]
            continue
        changed = old[i].split()
        for place in rng.choice(words, CHANGED_WORDS, replace=False).tolist():
            changed[place] = "changed"
        yield str(source + i), " ".join(changed)


def joined(text: str, size: int = 3) -> list[str]:
    """Shingles as one would write them first."""
    words = text.lower().split()
    return [" ".join(words[i : i + size]) for i in range(len(words) - size + 1)]


def joined_tokens(text: str, size: int = 3) -> list[str]:
    """Shingles of words and signs, by a regular expression."""
    words = re.findall(r"\w+|[^\w\s]", text.lower())
    return [" ".join(words[i : i + size]) for i in range(len(words) - size + 1)]


def hashed(text: str) -> np.ndarray:
    """Shingles as numbers: a hash of each word, three of them multiplied and added."""
    words = text.lower().encode().split()
    codes = np.fromiter(map(crc32, words), np.uint64, len(words))
    mixed = codes[:-2] * FACTORS[0] + codes[1:-1] * FACTORS[1] + codes[2:] * FACTORS[2]
    return mixed ^ (mixed >> np.uint64(32))


def compare_shingles(words: int) -> None:
    """Time the ways to shingle, and what rensa then takes for the signature."""
    sample = [text for start in range(0, 5 * BLOCK, BLOCK) for text in texts(start, words)]
    judge, shingled = Minhash(), [shingles(text, 3) for text in sample]
    table = Table("", "microseconds a text", title=f"texts of {words} words, best of 5")
    for name, way, things in (
        ("join slices of words", joined, sample),
        ("regular expression, join slices", joined_tokens, sample),
        ("hash words, combine in numpy", hashed, sample),
        ("join bytes by map (filters.diversity.minhash)", lambda text: shingles(text, 3), sample),
        ("signature from these (rensa)", lambda found: judge._sketch(found, "sft"), shingled),
    ):
        best = min(timed(way, things) for _ in track(range(5), name, console=CONSOLE))
        table.add_row(name, f"{best / len(sample) * 1e6:.1f}")
    Console().print(table)


def timed(way: Callable[..., object], things: Sequence[object]) -> float:
    """Seconds to do it to each."""
    began = time.process_time()
    for thing in things:
        way(thing)
    return time.process_time() - began


def memory() -> float:
    """Resident memory of this process in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak() -> float:
    """Greatest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
