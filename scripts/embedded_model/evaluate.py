"""Measures the shipped model on held-out problems and writes its model card.

python -m scripts.embedded_model.evaluate            prints the table
python -m scripts.embedded_model.evaluate --card     also writes weights/README.md
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

from safetensors import safe_open

from scripts.embedded_model.arithmetic import TIERS, Problem, problems
from synthmill.models.embedded.jobs import Generation, Job
from synthmill.models.embedded.language_model import WEIGHTS, LanguageModel

BOXED = re.compile(r"\\boxed\{(\d+)\}")
TEMPLATE = Path(__file__).with_name("model_card.md")
SAMPLES = 8


@dataclass(frozen=True)
class Share:
    """`hits` of `total`, with the standard error of the share when the draws are independent."""

    hits: int
    total: int

    def __str__(self) -> str:
        share = self.hits / self.total
        error = math.sqrt(share * (1 - share) / self.total)
        return f"{share:.3f} ± {error:.3f} ({self.hits}/{self.total})"


def is_right(problem: Problem, text: str) -> bool:
    """Whether the last boxed number of `text` is the answer."""
    return BOXED.findall(text)[-1:] == [problem.answer]


def main() -> None:
    """Parses the command line, prints the table and writes the card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=WEIGHTS)
    parser.add_argument("--count", type=int, default=500, help="problems a tier")
    parser.add_argument("--seed", type=int, default=4)
    parser.add_argument("--card", action="store_true", help="write README.md into the folder")
    arguments = parser.parse_args()
    table = measure(LanguageModel(arguments.folder), arguments.count, arguments.seed)
    print(table)
    if arguments.card:
        (arguments.folder / "README.md").write_text(card(arguments.folder, table))


def measure(model: LanguageModel, count: int, seed: int) -> str:
    """A markdown table: per tier greedy success, and any of `SAMPLES` traces at temperature 1."""
    rows = [
        f"| tier | steps | greedy | any of {SAMPLES} at temperature 1 | tokens a trace |",
        "|---|---|---|---|---|",
    ]
    for name, tier in TIERS.items():
        drawn = list(itertools.islice(problems(tier, seed, held_out=True), count))
        greedy = model.generate([Job(p.text, temperature=0) for p in drawn])
        sampled = model.generate([Job(p.text, seed=s) for p in drawn for s in range(SAMPLES)])
        groups = [sampled[i : i + SAMPLES] for i in range(0, len(sampled), SAMPLES)]
        tokens = sum(len(g.tokens) for g in greedy) / count
        rows.append(
            f"| {name} | {tier.steps[0]} to {tier.steps[1]} "
            f"| {solved(drawn, [[g] for g in greedy])} | {solved(drawn, groups)} "
            f"| {tokens:.0f} |"
        )
    return "\n".join(rows)


def solved(drawn: Sequence[Problem], groups: Sequence[Sequence[Generation]]) -> Share:
    """The share of problems that any generation of their group answers rightly."""
    hits = sum(
        any(is_right(problem, g.text) for g in group)
        for problem, group in zip(drawn, groups, strict=True)
    )
    return Share(hits, len(drawn))


def card(folder: Path, table: str) -> str:
    """The model card of `folder`, from its files, its training record and the measured table."""
    facts = json.loads((folder / "training.json").read_text())
    with safe_open(folder / "model.safetensors", "np") as weights:
        names = list(weights.keys())
        parameters = sum(math.prod(weights.get_slice(name).get_shape()) for name in names)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.name != "README.md")
    return Template(TEMPLATE.read_text()).substitute(
        facts,
        table=table,
        parameters=f"{parameters:,}",
        megabytes=f"{size / 1e6:.1f}",
        vocabulary=json.loads((folder / "config.json").read_text())["vocab_size"],
    )


if __name__ == "__main__":
    main()
