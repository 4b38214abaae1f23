"""Runs the comparison, tier by tier, and writes `results/TIER.md` and its plot beside this file.

    python -m benchmarks.cotevol hard --problems 120
    python -m benchmarks.cotevol hard --methods "CoTEvol" "best-of-n, 0.6" --draw 77 --out /tmp

It may be stopped at any time and goes on where it was. Best-of-n's temperatures are tried with one
seed; the paper's and the best of a tier are then run with all.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

from benchmarks.cotevol.figures import success
from benchmarks.cotevol.methods import COMPARED, METHODS, PAPER_TEMPERATURE
from benchmarks.cotevol.report import BUDGETS, page, plot
from benchmarks.cotevol.searches import (
    TEST_DRAW,
    Job,
    Search,
    Searcher,
    embedded_models,
    held_out,
)
from scripts.embedded_model.arithmetic import TIERS
from synthmill.models.embedded.jobs import Job as Generation
from synthmill.models.embedded.language_model import LanguageModel
from synthmill.runtime.workers import WorkerPool

RESULTS = Path(__file__).parent / "results"
MEASURED = 100  # problems whose greedy traces give the mean length of a tier


def main() -> None:
    """Parses the command line, runs and reports."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tiers", nargs="*", default=["hard", "middle"], help=f"of {list(TIERS)}")
    parser.add_argument("--problems", type=int, default=60, help="problems a tier")
    parser.add_argument("--draw", type=int, default=TEST_DRAW, help="develop on another one")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(COMPARED))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the report")
    arguments = parser.parse_args()
    for tier in arguments.tiers:
        started = time.monotonic()
        length = trace_length(tier, arguments.draw)
        by_method = asyncio.run(compare(tier, arguments, length))
        report = page(tier, by_method, length, _command(tier, arguments))
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / f"{tier}.md").write_text(report)
        plot(tier, by_method, length, arguments.out / f"{tier}.png")
        print(f"\n{report}\n{(time.monotonic() - started) / 60:.1f} minutes")


def _command(tier: str, arguments: argparse.Namespace) -> str:
    command = f"python -m benchmarks.cotevol {tier} --problems {arguments.problems}"
    command += f" --seeds {arguments.seeds}"
    if arguments.draw != TEST_DRAW:
        command += f" --draw {arguments.draw}"
    if arguments.methods != list(COMPARED):
        command += " --methods " + " ".join(f'"{name}"' for name in arguments.methods)
    return command


def trace_length(tier: str, draw: int) -> float:
    """Mean tokens of the model's greedy traces: the unit of the budgets."""
    model = LanguageModel()
    jobs = [Generation(p.text, temperature=0) for p in held_out(tier, draw, MEASURED)]
    return sum(len(g.tokens) for g in model.generate(jobs)) / MEASURED


async def compare(
    tier: str, arguments: argparse.Namespace, length: float
) -> dict[str, list[list[Search]]]:
    """The searches of every method and seed on a tier."""
    tokens = round(length * BUDGETS[-1])
    async with embedded_models() as models, WorkerPool() as workers:
        searcher = Searcher(models, workers, _show)

        async def run(method: str, seed: int) -> list[Search]:
            job = Job(method, tier, arguments.draw, seed, arguments.problems, tokens)
            return await searcher.run(job)

        found = {method: [await run(method, 1)] for method in arguments.methods}
        beaten = _beaten({method: runs[0] for method, runs in found.items()}, length)
        for method in arguments.methods:
            if method not in beaten:
                found[method] += [await run(method, seed) for seed in range(2, arguments.seeds + 1)]
    return found


def _beaten(first: dict[str, list[Search]], length: float) -> set[str]:
    """Temperatures of best-of-n that are neither the paper's nor the best at any budget."""
    baselines = [name for name in first if name.startswith("best-of-n")]
    kept = {PAPER_TEMPERATURE}
    for budget in BUDGETS[1:] if baselines else ():
        kept.add(max(baselines, key=lambda name: success(first[name], budget * length)))
    return set(baselines) - kept


def _show(line: str) -> None:
    end = "" if sys.stderr.isatty() else "\n"
    print(f"\r\x1b[K{line}" if not end else line, end=end, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
