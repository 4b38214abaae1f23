"""Runs the comparison and writes `RESULTS.md` and `success.png` beside this file.

    python -m benchmarks.cotevol --problems 60 --seeds 3
    python -m benchmarks.cotevol --tiers hard --methods "CoTEvol" "best-of-n, 0.6"

It may be stopped at any time and goes on where it was. Best-of-n's temperatures are tried with one
seed; the paper's and the best of a tier are then run with all.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from benchmarks.cotevol.figures import success
from benchmarks.cotevol.methods import METHODS, PAPER_TEMPERATURE
from benchmarks.cotevol.report import BUDGETS, plot, ratios, tables
from benchmarks.cotevol.searches import (
    TEST_DRAW,
    Job,
    Search,
    Searcher,
    embedded_models,
    held_out,
)
from filters.pool import WorkerPool
from models.embedded.arithmetic import TIERS
from models.embedded.jobs import Job as Generation
from models.embedded.language_model import LanguageModel

HERE = Path(__file__).parent
MEASURED = 100  # problems whose greedy traces give the mean length of a tier

ByMethod = dict[str, list[list[Search]]]


def main() -> None:
    """Parses the command line, runs and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=60, help="problems a tier")
    parser.add_argument("--draw", type=int, default=TEST_DRAW, help="develop on another one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tiers", nargs="+", choices=list(TIERS), default=["middle", "hard"])
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--out", type=Path, default=HERE, help="folder of the report")
    arguments = parser.parse_args()
    started = time.monotonic()
    lengths = {tier: trace_length(tier, arguments.draw) for tier in arguments.tiers}
    results = asyncio.run(compare(arguments, lengths))
    report = tables(results, lengths)
    for tier, by_method in results.items():
        if {"CoTEvol", PAPER_TEMPERATURE} <= set(by_method):
            report += f"\n### CoTEvol over best-of-n, {tier} tier\n\n"
            report += ratios(by_method, lengths[tier])
    print(f"\n{report}\n{(time.monotonic() - started) / 60:.1f} minutes")
    command = f"python -m benchmarks.cotevol --problems {arguments.problems} "
    command += f"--seeds {arguments.seeds} --tiers {' '.join(arguments.tiers)}"
    if arguments.draw != TEST_DRAW:
        command += f" --draw {arguments.draw}"
    if arguments.methods != list(METHODS):
        command += " --methods " + " ".join(f'"{name}"' for name in arguments.methods)
    (arguments.out / "RESULTS.md").write_text(f"Made by `{command}`.\n\n{report}")
    plot(results, lengths, arguments.out / "success.png")


def trace_length(tier: str, draw: int) -> float:
    """Mean tokens of the model's greedy traces: the unit of the budgets."""
    model = LanguageModel()
    jobs = [Generation(p.text, temperature=0) for p in held_out(tier, draw, MEASURED)]
    return sum(len(g.tokens) for g in model.generate(jobs)) / MEASURED


async def compare(arguments: argparse.Namespace, lengths: dict[str, float]) -> dict[str, ByMethod]:
    """The searches of every tier, method and seed."""
    results: dict[str, ByMethod] = {}
    async with embedded_models() as models, WorkerPool() as workers:
        searcher = Searcher(models, workers, _show)
        for tier in arguments.tiers:
            results[tier] = await _tier(searcher, tier, arguments, lengths[tier])
    return results


async def _tier(
    searcher: Searcher, tier: str, arguments: argparse.Namespace, length: float
) -> ByMethod:
    tokens = round(length * BUDGETS[-1])

    async def run(method: str, seed: int) -> list[Search]:
        return await searcher.run(
            Job(method, tier, arguments.draw, seed, arguments.problems, tokens)
        )

    first = {method: [await run(method, 1)] for method in arguments.methods}
    baselines = [name for name in first if name.startswith("best-of-n")]
    best = (
        {
            max(baselines, key=lambda name: success(first[name][0], budget * length))
            for budget in BUDGETS[1:]
        }
        if baselines
        else set()
    )
    for method, runs in first.items():
        if method in baselines and method not in best | {PAPER_TEMPERATURE}:
            continue
        runs += [await run(method, seed) for seed in range(2, arguments.seeds + 1)]
    return first


def _show(line: str) -> None:
    end = "" if sys.stderr.isatty() else "\n"
    print(f"\r\x1b[K{line}" if not end else line, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
