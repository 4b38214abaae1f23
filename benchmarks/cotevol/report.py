"""The results of a tier as a page of Markdown and a plot."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.cotevol.figures import Spread, likeness, lucky, programs, success
from benchmarks.cotevol.methods import METHODS, PAPER_TEMPERATURE
from benchmarks.cotevol.searches import Search

BUDGETS = (4, 8, 16, 32)  # in mean traces of the tier
POINTS = tuple(range(1, 33))

# By method: the searches of each seed.
ByMethod = Mapping[str, Sequence[Sequence[Search]]]


def page(tier: str, by_method: ByMethod, length: float, command: str) -> str:
    """Success and diversity of every method; `length` is the tokens of a mean trace."""
    count = len(next(iter(by_method.values()))[0])
    parts = [
        f"# CoTEvol at equal tokens: {tier} tier\n",
        f"Made by `{command}`: {count} problems, {length:.0f} tokens a trace; mean and standard "
        "deviation over seeds. [How to read it](../../../docs/generators/cotevol.md#benchmark).\n",
        "Share of problems with a right answer:\n",
        _success(by_method, length, sound=False),
        "With a right answer by a trace whose equations are all true (the others were lucky):\n",
        _success(by_method, length, sound=True),
        "Diversity of the right traces, and the share of lucky ones, within 16 and 32 traces:\n",
        _diversity(by_method, length),
    ]
    if {"CoTEvol", PAPER_TEMPERATURE} <= set(by_method):
        parts += ["CoTEvol over best-of-n, right answers:\n"]
        parts += [_ratios(by_method, length, sound=False)]
        parts += ["CoTEvol over best-of-n, by traces without a false equation:\n"]
        parts += [_ratios(by_method, length, sound=True)]
    return "\n".join([*parts, f"![share of problems with a right answer]({tier}.png)\n"])


def plot(tier: str, by_method: ByMethod, length: float, path: Path) -> None:
    """Success against generated tokens."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panel = pyplot.subplots(figsize=(6, 4))
    for name in METHODS:
        if name not in by_method:
            continue
        runs = by_method[name]
        curve = [Spread.of([success(run, k * length) for run in runs]).mean for k in POINTS]
        style = "--" if name.startswith(("best", "self")) else "-"
        panel.plot(POINTS, curve, style, label=name, linewidth=1.4)
    panel.set(title=f"{tier} tier", xlabel="generated tokens, in traces", ylim=(0, 1))
    panel.set_ylabel("share of problems with a right answer")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=7, loc="best")
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def _success(by_method: ByMethod, length: float, *, sound: bool) -> str:
    rows = ["| method | seeds |" + "".join(f" {b} traces |" for b in BUDGETS)]
    rows.append("|---|---|" + "---|" * len(BUDGETS))
    for name, runs in by_method.items():
        cells = [
            Spread.of([success(run, b * length, sound=sound) for run in runs]) for b in BUDGETS
        ]
        rows.append(f"| {name} | {len(runs)} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows) + "\n"


def _diversity(by_method: ByMethod, length: float) -> str:
    rows = [
        "| method | mean ROUGE-L, 16 | 32 | programs a solved problem, 16 | 32 | lucky, 16 | 32 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, runs in by_method.items():
        cells = []
        for measure in (likeness, programs, lucky):
            for budget in BUDGETS[-2:]:
                values = [measure(run, budget * length) for run in runs]
                cells.append(Spread.of([value for value in values if value is not None]))
        rows.append(f"| {name} | " + " | ".join(f"{cell.mean:.2f}" for cell in cells) + " |")
    return "\n".join(rows) + "\n"


def _ratios(by_method: ByMethod, length: float, *, sound: bool) -> str:
    """How CoTEvol compares with best-of-n, at the paper's temperature and at its best one."""
    rows = [
        "| budget in traces | over best-of-n at 0.6 | over best-of-n at its best |",
        "|---|---|---|",
    ]
    baselines = [name for name in by_method if name.startswith("best-of-n")]
    for budget in BUDGETS[1:]:
        means = {
            name: Spread.of([success(run, budget * length, sound=sound) for run in runs]).mean
            for name, runs in by_method.items()
        }
        best = max(baselines, key=lambda name: means[name])
        ours = means["CoTEvol"]
        rows.append(
            f"| {budget} | {_ratio(ours, means[PAPER_TEMPERATURE])} "
            f"| {_ratio(ours, means[best])} ({best.split(', ')[1]}) |"
        )
    return "\n".join(rows) + "\n"


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else "all to nothing"
