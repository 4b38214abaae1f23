"""Where to go from here: commands as a user would type them."""

import shlex

from synthmill.schemas.report import RunReport
from synthmill.store.home import Home
from synthmill.store.media import FOLDER as MEDIA


def hint(home: Home, *words: str) -> str:
    """`synthmill` with these words, and with --home where the data is not found without it."""
    place = [] if Home.find().path == home.path else ["--home", str(home.path)]
    return shlex.join(["synthmill", *words, *place])


def next_commands(report: RunReport, home: Home) -> list[str]:
    """What to do with what a run made."""
    name = report.dataset
    if not report.accepted:
        return [hint(home, "why", report.run_id)]
    exporter = _exporter(report, home)
    return [
        hint(home, "show", name),
        hint(home, "why", name),
        hint(home, "sql", f'select kind, count(*) from "{name}" group by kind'),
        hint(home, "export", name, "--to", exporter, "-o", f"{name}-{exporter}"),
    ]


def _exporter(report: RunReport, home: Home) -> str:
    """The exporter that takes most of what the run made."""
    if not (home.dataset(report.dataset) / MEDIA).is_dir():
        return "trl"
    return "verl" if set(report.by_kind) == {"rlvr"} else "ms_swift"
