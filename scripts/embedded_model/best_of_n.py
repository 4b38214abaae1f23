"""How far plain sampling gets on a tier: the share of problems that any of n traces solves.

    python -m scripts.embedded_model.best_of_n --tier hard

The room that is left above these numbers is what a search method can win.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path

from scripts.embedded_model.arithmetic import TIERS, problems
from scripts.embedded_model.evaluate import solved
from synthmill.models.embedded.jobs import Generation, Job
from synthmill.models.embedded.language_model import WEIGHTS, LanguageModel

COUNTS = (1, 4, 8, 16, 32)
TEMPERATURES = (0.6, 0.8, 1.0, 1.2)


def main() -> None:
    """Parses the command line and prints a markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--tier", choices=TIERS, default="hard")
    parser.add_argument("--count", type=int, default=120, help="problems")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--temperatures", type=float, nargs="+", default=TEMPERATURES)
    arguments = parser.parse_args()
    model = LanguageModel(arguments.folder)
    stream = problems(TIERS[arguments.tier], arguments.seed, held_out=True)
    drawn = list(itertools.islice(stream, arguments.count))
    print("| temperature |", " | ".join(f"n = {n}" for n in COUNTS), "| tokens a trace |")
    print("|---" * (len(COUNTS) + 2) + "|")
    for temperature in arguments.temperatures:
        groups = sample(model, [p.text for p in drawn], temperature)
        shares = [str(solved(drawn, [group[:n] for group in groups])) for n in COUNTS]
        tokens = sum(len(g.tokens) for group in groups for g in group)
        mean = tokens / len(drawn) / COUNTS[-1]
        print(f"| {temperature} |", " | ".join(shares), f"| {mean:.0f} |", flush=True)


def sample(
    model: LanguageModel, prompts: Sequence[str], temperature: float
) -> list[list[Generation]]:
    """The most traces of `COUNTS` for every prompt, seeds 0, 1, 2, ..."""
    most = COUNTS[-1]
    jobs = [Job(p, temperature=temperature, seed=s) for p in prompts for s in range(most)]
    flat = model.generate(jobs)
    return [flat[i : i + most] for i in range(0, len(flat), most)]


if __name__ == "__main__":
    main()
