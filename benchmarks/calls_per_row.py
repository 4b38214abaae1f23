"""Model calls and tokens bought for each accepted row, for small and large targets.

    python -m benchmarks.calls_per_row [--targets 5 50 500] [--recipe cotevol-demo]

A run with a small target should not start more tasks than it needs. Each target runs the recipe in
a home of its own with default engine settings. `needed` are the tokens of the tasks that gave an
accepted row; `bought` is everything that the back ends answered. The last line is a preview.
"""

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from synthmill.pipelines.load import read_recipe
from synthmill.pipelines.run import preview, start
from synthmill.schemas.report import RunReport
from synthmill.schemas.row import Row
from synthmill.store.dataset import Dataset
from synthmill.store.home import Home

HEADER = (
    f"{'target':>8} {'rows':>5} {'tasks':>6} {'calls/row':>10} {'needed':>10} {'bought':>10} "
    f"{'ratio':>6} {'unused':>8} {'seconds':>8}"
)


def needed_tokens(rows: Iterable[Row]) -> int:
    """Tokens of the tasks that gave an accepted row, their rejected rows included."""
    tokens: defaultdict[str, int] = defaultdict(int)
    accepted = set()
    for row in rows:
        tokens[row.task_key] += row.prompt_tokens + row.completion_tokens
        if row.status == "accepted":
            accepted.add(row.task_key)
    return sum(tokens[key] for key in accepted)


def line(name: str, report: RunReport, rows: list[Row], seconds: float) -> str:
    """The figures of a run."""
    bought = [usage.bought for usage in report.usage.values()]
    tokens, needed = sum(usage.tokens for usage in bought), needed_tokens(rows)
    calls = sum(usage.calls for usage in bought) / max(1, report.accepted)
    return (
        f"{name:>8} {report.accepted:>5} {report.tasks:>6} {calls:>10.1f} {needed:>10,} "
        f"{tokens:>10,} {tokens / max(1, needed):>6.2f} {report.unused.tokens:>8,} {seconds:>8.1f}"
    )


async def measure(recipe_name: str, targets: list[int], folder: Path) -> None:
    """Run each target, then a preview, and print."""
    recipe = read_recipe(recipe_name)
    print(HEADER)
    for target in targets:
        home, begun = Home(folder / str(target)), time.perf_counter()
        report = await start(recipe.model_copy(update={"target": target}), home)
        rows = list(Dataset.open(home, recipe.output.dataset).rows(status=None))
        print(line(str(target), report, rows, time.perf_counter() - begun), flush=True)
    begun = time.perf_counter()
    rows, report = await preview(recipe, Home(folder / "preview"))
    print(line("preview", report, rows, time.perf_counter() - begun))


def main() -> None:
    """Parse the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, nargs="+", default=[5, 50, 500])
    parser.add_argument("--recipe", default="cotevol-demo")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(given.recipe, given.targets, Path(folder)))


if __name__ == "__main__":
    main()
