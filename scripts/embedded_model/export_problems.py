"""Writes held-out problems of every tier as JSON lines.

    python -m scripts.embedded_model.export_problems --out pipelines/recipes/problems --count 300

One file a tier, `TIER.jsonl`, with the fields id, problem, answer, tier. Same seed, same files.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

from scripts.embedded_model.arithmetic import TIERS, problems

SEED = 2026


def main() -> None:
    """Parses the command line and writes the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, tier in TIERS.items():
        drawn = itertools.islice(problems(tier, arguments.seed, held_out=True), arguments.count)
        rows = [{"id": p.id, "problem": p.text, "answer": p.answer, "tier": p.tier} for p in drawn]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (arguments.out / f"{name}.jsonl").write_text(lines)


if __name__ == "__main__":
    main()
